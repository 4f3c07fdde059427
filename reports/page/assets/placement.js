/* Where what is held lives, as energy/bill/placement.py has it.

   Rows that stand at several places of a model are one part of a table here, until a level has room
   at some of their places only: those are a part of their own then. A test compares it with Python. */
const placement = (() => {
  "use strict";

  const PERSISTENT = 2;
  const clamp = (value, high) => Math.max(0, Math.min(value, high));

  /* The parts of a table: the row of each and the number of its places, the part at each place, and
     bytes by buffer: held and moved by one of them, without a level so far, and shares by level. */
  function laid(held, moved, { copies = null, places = null }, levels) {
    const rows = Array.from(held[0], (_, i) => i);
    const table = (columns) => columns.map((column) => Array.from(column));
    return {
      row: rows,
      copies: copies ? Array.from(copies) : rows.map(() => 1),
      at: places ? places.map(({ row }) => row) : [...rows],
      held: table(held),
      moved: table(moved),
      waiting: table(held),
      shares: levels.map(() => held.map(() => rows.map(() => 0))),
    };
  }

  /* Give some places of a part a part of their own, in these columns too; returns it. */
  function apart(parts, part, places, more) {
    const { row, copies, at, held, moved, waiting, shares } = parts;
    const made = row.length;
    for (const column of [row, ...held, ...moved, ...waiting, ...shares.flat(), ...more]) column.push(column[part]);
    copies.push(places.length);
    copies[part] -= places.length;
    for (const place of places) at[place] = made;
    return made;
  }

  /* The rows as parts, with the share of each buffer in each level: shares[level][buffer][part]. */
  function place(world, held, moved, profile, counts) {
    const names = Object.keys(profile.memory);
    const lists = world.buffers.map((buffer) => (profile.placement[buffer] ?? []).map((x) => names.indexOf(x)));
    const rooms = names.map((name) => profile.memory[name].capacity_bytes ?? Infinity);
    const parts = laid(held, moved, counts, names);
    if (profile.room === "fixed-order") placeWhole(parts, whole(held, counts.copies), lists, rooms);
    else placeByNeed(parts, lists, rooms);
    return parts;
  }

  /* Levels so that each stands behind those that a buffer asks before it, others as listed. */
  function nearestFirst(rooms, lists) {
    const order = [];
    const all = rooms.map((_, level) => level).filter((level) => lists.some((list) => list.includes(level)));
    const isFree = (level) =>
      lists.every((list) => list.slice(0, Math.max(0, list.indexOf(level))).every((x) => order.includes(x)));
    while (order.length < all.length) {
      const left = all.filter((level) => !order.includes(level));
      order.push(left.find(isFree) ?? left[0]);
    }
    return order;
  }

  function placeByNeed(parts, lists, rooms) {
    const { held, waiting, shares } = parts;
    for (const level of nearestFirst(rooms, lists)) {
      const asks = lists.map((list) => list.includes(level));
      const taken = rooms[level] === Infinity ? waiting : filled(parts, asks, rooms[level]);
      lists.forEach((list, j) => {
        if (!asks[j]) return;
        const isLast = list[list.length - 1] === level;
        for (let i = 0; i < held[j].length; i++) {
          const got = isLast ? waiting[j][i] : taken[j][i];
          waiting[j][i] -= got;
          if (got > 0) shares[level][j][i] += got / held[j][i];
        }
      });
    }
    lists.forEach((list, j) => {
      for (let i = 0; list.length && i < held[j].length; i++) if (!held[j][i]) shares[list[0]][j][i] = 1;
    });
  }

  /* Bytes that get room in a level, of those that ask for it: what is used most often first. */
  function filled(parts, asks, room) {
    const { held, moved, waiting, copies } = parts;
    const asked = (j, i) => (asks[j] ? waiting[j][i] : 0);
    const uses = held.map((column, j) => column.map((bytes, i) => (bytes > 0 ? moved[j][i] / bytes : 0)));
    const working = held.map((_, j) => j).slice(PERSISTENT);
    const starts = held.map(() => []);
    // What begins and ends at a depth, added up: layers that are alike share their depths.
    const at = new Map();
    const change = (depth, worth) => at.set(depth, (at.get(depth) ?? 0) + worth);
    for (let i = 0; i < copies.length; i++) {
      let start = 0;
      for (const j of [...working].sort((a, b) => uses[b][i] - uses[a][i])) {
        starts[j][i] = start;
        change(start, uses[j][i] * copies[i]);
        start += asked(j, i);
        change(start, -uses[j][i] * copies[i]);
      }
    }
    const changes = [...at].sort((a, b) => a[0] - b[0]);
    const pieces = [];
    let worth = 0;
    changes.forEach(([depth, change], k) => {
      worth += change;
      const next = k + 1 < changes.length ? changes[k + 1][0] : depth;
      pieces.push({ worth, length: next - depth, j: null });
    });
    for (let i = 0; i < copies.length; i++)
      for (let j = 0; j < PERSISTENT; j++)
        pieces.push({ worth: uses[j][i], length: asked(j, i) * copies[i], j, i });
    const { whole: fits, edge, left } = ranked(pieces, room);
    const deep = fits.reduce((sum, { j, length }) => (j === null ? sum + length : sum), 0);
    const taken = held.map((column) => column.map(() => 0));
    for (const { j, i } of fits) if (j !== null) taken[j][i] = asked(j, i);
    const more = edge.reduce((sum, { j, length }) => (j === null ? sum + length : sum), 0);
    const reach = deep + clamp(left, more);
    for (const j of working)
      for (let i = 0; i < copies.length; i++) taken[j][i] = clamp(reach - starts[j][i], asked(j, i));
    divide(parts, taken, edge.filter(({ j }) => j !== null), left - more);
    return taken;
  }

  /* Pieces that all have room, those that are used as often and have not all, and what is left for them. */
  function ranked(pieces, room) {
    const order = [...pieces].sort((a, b) => b.worth - a.worth);
    let left = room;
    let from = 0;
    while (from < order.length) {
      let [to, total] = [from, 0];
      while (to < order.length && order[to].worth === order[from].worth) total += order[to++].length;
      if (total > left) return { whole: order.slice(0, from), edge: order.slice(from, to), left };
      left -= total;
      from = to;
    }
    return { whole: order, edge: [], left };
  }

  /* Give the room that is left to lasting bytes that are used equally often, in the order of the model. */
  function divide(parts, taken, edge, left) {
    if (!edge.length || left <= 0) return;
    const { at, waiting } = parts;
    const asking = new Map(edge.map(({ j, i }) => [i, []]));
    for (const { j, i } of edge) asking.get(i).push(j);
    const found = new Map();
    at.forEach((part, place) => {
      if (!asking.has(part)) return;
      const got = asking.get(part).map((j) => {
        const each = clamp(left, waiting[j][part]);
        left -= waiting[j][part];
        return each;
      });
      const key = `${part} ${got}`;
      if (!found.has(key)) found.set(key, { part, got, places: [] });
      found.get(key).places.push(place);
    });
    const known = new Set();
    for (const { part, got, places } of found.values()) {
      const own = known.has(part) ? apart(parts, part, places, taken) : part;
      known.add(part);
      asking.get(part).forEach((j, k) => (taken[j][own] = got[k]));
    }
  }

  function placeWhole({ copies, shares }, sizes, lists, rooms) {
    const room = rooms.map((most) => copies.map(() => most));
    lists.forEach((list, j) => {
      const last = list[list.length - 1];
      for (let i = 0; i < copies.length && list.length; i++) {
        let at = 0;
        while (list[at] !== last && sizes[j][i] > room[list[at]][i]) at++;
        shares[list[at]][j][i] = 1;
        room[list[at]][i] -= sizes[j][i];
      }
    });
  }

  /* Bytes of the buffer that a byte is in: of persistent ones, that of the whole model. */
  function whole(held, copies = null) {
    return held.map((column, j) =>
      j < PERSISTENT ? column.slice().fill(execution.sum(column, copies)) : column,
    );
  }

  return { place, whole };
})();
