/* Python's own functions, and the methods of its texts and lists. */
Object.assign(py, (() => {
  "use strict";

  const { Dict, Float, Member, PySet, UserError, pairs, truth, worded } = py;

  const len = (x) => (x instanceof Dict ? x.map.size : typeof x === "string" ? [...x].length : (x.length ?? [...x].length));
  function range(...given) {
    const [from, to, by] = given.length === 1 ? [0, given[0], 1] : [given[0], given[1], given[2] ?? 1];
    const found = [];
    for (let i = from; by > 0 ? i < to : i > to; i += by) found.push(i);
    return found;
  }
  function* count() {
    for (let i = 0; ; i++) yield i;
  }
  function next(from, ...absent) {
    const { value, done } = (Array.isArray(from) ? from[Symbol.iterator]() : from).next();
    if (!done) return value;
    if (!absent.length) throw new UserError("nothing is left");
    return absent[0];
  }
  const extreme = (better) =>
    worded((...given) => {
      const words = given.length && Object.getPrototypeOf(given[given.length - 1] ?? 0) === Object.prototype ? given.pop() : {};
      const all = given.length === 1 ? [...given[0]] : given;
      if (!all.length && "default" in words) return words.default;
      const best = (...from) => from.reduce((a, b) => (better(b, a) ? b : a));
      return py.some(...all) ? py.lifted(best, ...all) : best(...all);
    });
  const zip = worded((...given) => {
    const words = given.length && Object.getPrototypeOf(given[given.length - 1] ?? 0) === Object.prototype ? given.pop() : {};
    const all = given.map((each) => [...each]);
    const sizes = all.map((each) => each.length);
    if (words.strict && new Set(sizes).size > 1) throw new UserError("lists of different lengths");
    return Array.from({ length: Math.min(...sizes) }, (_, i) => all.map((each) => each[i]));
  });
  const enumerate = (from) => [...from].map((x, i) => [i, x]);
  const map = (made, ...from) => zip(...from).map((given) => made(...given));
  const sum = (from, start = 0) => [...from].reduce(py.add, start);
  const all = (from) => [...from].every(truth);
  const any = (from) => [...from].some(truth);
  const list = (from = []) => [...from];
  const dict = (from = []) => new Dict(pairs(from));
  const fromkeys = (names, value = null) => new Dict([...names].map((name) => [name, value]));
  const divmod = (a, b) => [py.floordiv(a, b), py.mod(a, b)];
  const abs = Math.abs;
  const int = (x) => Math.trunc(Number(x));
  const bool = truth;
  const float = (x) => Number(x);
  const getattr = (x, name) => x[name];
  function Counter(from) {
    const found = new Dict();
    for (const x of from) found.put(x, found.find(x, 0) + 1);
    return found;
  }

  /* Kinds of values, as a configuration has them */
  function type(x) {
    if (x === null || x === undefined) return null;
    if (typeof x === "boolean") return bool;
    if (typeof x === "number") return int;
    if (x instanceof Float) return float;
    if (typeof x === "string" || x instanceof Member) return text;
    if (Array.isArray(x)) return list;
    return x instanceof Dict ? dict : x.constructor;
  }
  const Mapping = () => {
    throw new UserError("no mapping is made by its kind");
  };
  function isinstance(x, kind) {
    if (Array.isArray(kind)) return kind.some((each) => isinstance(x, each));
    if (kind === Mapping || kind === dict) return x instanceof Dict && !(x instanceof PySet);
    if (kind === int) return type(x) === int || type(x) === bool;
    if ([bool, float, text, list].includes(kind)) return type(x) === kind;
    return typeof kind === "function" && x instanceof kind;
  }

  /* Texts */
  function text(x) {
    if (x === null || x === undefined) return "None";
    if (typeof x === "boolean") return x ? "True" : "False";
    return Array.isArray(x) || x instanceof Dict ? repr(x) : String(x);
  }
  function repr(x) {
    if (typeof x === "string") {
      const quote = x.includes("'") && !x.includes('"') ? '"' : "'";
      return quote + x.replaceAll("\\", "\\\\").replaceAll("\n", "\\n").replaceAll(quote, `\\${quote}`) + quote;
    }
    if (Array.isArray(x)) return `[${x.map(repr).join(", ")}]`;
    if (x instanceof Dict) return `{${pairs(x).map(([name, value]) => `${repr(name)}: ${repr(value)}`).join(", ")}}`;
    return text(x);
  }
  function quoted(x) {
    const all = repr(x);
    return all.length <= 80 ? all : `${all.slice(0, 39)}...${all.slice(-38)}`;
  }
  const grouped = (x) => String(x).replace(/\B(?=(\d{3})+(?!\d))/g, ",");
  const filled = (x, words) => x.replace(/\{(\w+)\}/g, (_, name) => text(words[name]));
  const sorted = (from) => [...from].sort((a, b) => (String(a) < String(b) ? -1 : 1));
  /* A pattern of Python, at the beginning of a text; what JavaScript writes otherwise is no pattern here. */
  const re_compile = (pattern) => {
    const made = new RegExp(`^(?:${pattern})`);
    return { match: (x) => (made.test(x) ? true : null) };
  };
  const re_sub = (pattern, by, where) => where.replace(new RegExp(pattern, "g"), by);

  const split = (where, at, size) => (at < 0 ? null : [where.slice(0, at), where.slice(at, at + size), where.slice(at + size)]);
  const method = {
    append: (x, value) => x.push(value),
    endswith: (x, end) => (Array.isArray(end) ? end.some((each) => x.endsWith(each)) : x.endsWith(end)),
    startswith: (x, start) => x.startsWith(start),
    lower: (x) => x.toLowerCase(),
    isdecimal: (x) => /^\d+$/.test(x),
    join: (x, parts) => [...parts].map(text).join(x),
    partition: (x, by) => split(x, x.indexOf(by), by.length) ?? [x, "", ""],
    rpartition: (x, by) => split(x, x.lastIndexOf(by), by.length) ?? ["", "", x],
    removeprefix: (x, start) => (x.startsWith(start) ? x.slice(start.length) : x),
    split: (x, by) => x.split(by),
    get: (x, name, absent = null) => x.find(name, absent),
    items: (x) => pairs(x),
    keys: (x) => set_of(x),
    values: (x) => pairs(x).map(([, value]) => value),
    update: (x, from) => {
      for (const [name, value] of pairs(from)) x.put(name, value);
    },
    setdefault: (x, name, value) => {
      if (!x.contains(name)) x.put(name, value);
      return x.find(name);
    },
    pop: (x, name) => {
      const value = py.at(x, name);
      x.map.delete(py.key(name));
      return value;
    },
  };
  const set_of = (x) => py.set([...x]);

  /* A JSON text as Python reads it: which numbers are fractions is kept. */
  function json(source) {
    const token = /"(?:[^"\\]|\\.)*"|-?(?:\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|Infinity)|NaN/g;
    const marked = source.replace(token, (found) => (/^"|^-?\d+$/.test(found) ? found : `{"\\u0000":"${found}"}`));
    const made = (x) => {
      if (Array.isArray(x)) return x.map(made);
      if (x === null || typeof x !== "object") return x;
      if ("\u0000" in x) return new Float(x["\u0000"]);
      return new Dict(Object.entries(x).map(([name, value]) => [name, made(value)]));
    };
    try {
      return made(JSON.parse(marked));
    } catch {
      // What is wrong is said of the text as it was given, which Python lets hold an infinity.
      JSON.parse(source.replace(token, (found) => (/Infinity|NaN/.test(found) && !found.startsWith('"') ? "0" : found)));
      throw new SyntaxError("a number is written in no way that JSON has");
    }
  }

  return {
    len, range, count, next, min: extreme((a, b) => a < b), max: extreme((a, b) => a > b), zip, enumerate, map, sum,
    all, any, list, tuple: list, dict, fromkeys, divmod, abs, int, bool, float, getattr, Counter, type, Mapping, isinstance,
    str: text, repr, quoted, grouped, re_sub, re_compile, filled, sorted, method, json,
  };
})());
