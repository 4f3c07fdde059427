/* What Python has and JavaScript has not, for functions that were translated from Python.

   Whole numbers and fractions are both numbers here: products beyond 2^53 are rounded, by less than
   one part in 10^15. Of a JSON text, numbers with a point or an exponent are `Float`. */
const py = (() => {
  "use strict";

  class UserError extends Error {}

  /* A dataclass or a named tuple: fields in order, equal where all of them are. */
  class Record {
    *[Symbol.iterator]() {
      for (const name of this.constructor.fields) yield this[name];
    }
  }

  class Float extends Number {
    toString() {
      const size = Math.abs(this);
      if (size === Infinity || Number.isNaN(size)) return this < 0 ? "-inf" : size === Infinity ? "inf" : "nan";
      if (size && (size < 1e-4 || size >= 1e16)) return Number(this).toExponential().replace(/e([+-])(\d)$/, "e$10$2");
      return Number.isInteger(size) ? `${Number(this)}.0` : String(Number(this));
    }
  }

  class Member {
    constructor(name, value) {
      this.name = name;
      this.value = value;
    }
    toString() {
      return this.value;
    }
  }

  const enumeration = (members) =>
    Object.fromEntries(Object.entries(members).map(([name, value]) => [name, new Member(name, value)]));

  const described = (made, name, fields, methods) => {
    Object.assign(made, { title: name, fields });
    for (const [method, names] of Object.entries(methods))
      if (method !== "__init__" && method !== "__post_init__") named(names, made.prototype[method]);
  };

  /* What stands for a value as a key: equal for values that are equal. */
  function key(x) {
    if (typeof x === "string" || typeof x === "number") return x;
    if (x instanceof Member) return x.value;
    if (typeof x === "boolean" || x instanceof Float) return Number(x);
    if (x === null || x === undefined) return null;
    if (typeof x === "function") return x;
    if (x instanceof Dict) return `{${JSON.stringify([...x.map.values()].map((pair) => pair.map(key)).sort())}`;
    const name = x instanceof Record ? x.constructor.title : "";
    return `${name}(${JSON.stringify([...x].map(key))}`;
  }

  class Dict {
    constructor(pairs = []) {
      this.map = new Map();
      for (const [name, value] of pairs) this.put(name, value);
    }
    put(name, value) {
      const at = key(name);
      const old = this.map.get(at);
      if (old) old[1] = value;
      else this.map.set(at, [name, value]);
    }
    find(name, absent = null) {
      const pair = this.map.get(key(name));
      return pair ? pair[1] : absent;
    }
    contains(name) {
      return this.map.has(key(name));
    }
    *[Symbol.iterator]() {
      for (const [name] of this.map.values()) yield name;
    }
  }
  class PySet extends Dict {}
  const set = (from = []) => new PySet([...from].map((x) => [x, x]));
  const pairs = (from) => (from instanceof Dict ? [...from.map.values()] : [...from]);

  /* Calls with names of arguments ---------------------------------------------------------- */

  const named = (names, made) => Object.assign(made, { names });
  const worded = (made) => Object.assign(made, { worded: true });
  function call(made, given, words, self) {
    if (made.part) return call(made.part.made, [...made.part.given, ...given], [...made.part.words, ...words]);
    if (made.worded) return made(...given, Object.fromEntries(words));
    const places = [...given];
    for (const [name, value] of words) {
      const at = made.names?.indexOf(name) ?? -1;
      if (at < 0) throw new TypeError(`no argument ${name}`);
      places[at] = value;
    }
    return made.apply(self, places);
  }
  const invoke = (owner, name, given, words) => call(owner[name], given, words, owner);
  const partial = worded((made, ...given) => {
    const words = Object.entries(given.pop());
    return Object.assign((...more) => call(made, [...given, ...more], words), { part: { made, given, words } });
  });
  function cache(made) {
    const known = new Dict();
    return (...given) => {
      if (!known.contains(given)) known.put(given, made(...given));
      return known.find(given);
    };
  }

  function replaced(x, words) {
    const changes = Object.fromEntries(words);
    return new x.constructor(...x.constructor.fields.map((name) => (name in changes ? changes[name] : x[name])));
  }
  const replace = worded((x, words) => replaced(x, Object.entries(words)));
  const assign = (x, name, value) => {
    x[name] = value;
  };

  return {
    UserError, Record, Float, Member, Dict, PySet, enumeration, described, key, set, pairs, named, worded, call, invoke,
    partial, cache, replaced, replace, assign,
  };
})();
