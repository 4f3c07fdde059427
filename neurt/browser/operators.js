/* Python's operators, on numbers, texts, lists, and on many numbers at once.

   `Many` stands for one number in each of several passes, such as the length of the cache in each
   step of decode: what depends on it is a number for each pass again. A question to which passes
   have different answers is an error, `Mixed`; who asks takes fewer passes at a time then. */
Object.assign(py, (() => {
  "use strict";

  const { Dict, Float, Member, PySet, UserError, key, pairs, set } = py;

  class Mixed extends Error {}
  class Many {
    constructor(values) {
      this.values = values;
    }
  }
  const each = (x, i) => (x instanceof Many ? x.values[i] : x);
  const some = (...given) => given.find((x) => x instanceof Many);
  /* A function of numbers, of each pass by itself. */
  const lifted = (made, ...given) => new Many(some(...given).values.map((_, i) => made(...given.map((x) => each(x, i)))));
  function agreed(made, ...given) {
    const answers = new Set(Array.from(some(...given).values, (_, i) => made(...given.map((x) => each(x, i)))));
    if (answers.size > 1) throw new Mixed("passes differ");
    return [...answers][0];
  }
  const lift = (made) => (...given) => (some(...given) ? lifted(made, ...given) : made(...given));

  const truth = (x) => {
    if (typeof x === "object" && x !== null) {
      if (Array.isArray(x)) return x.length > 0;
      if (x instanceof Dict) return x.map.size > 0;
      if (x instanceof Float) return Number(x) !== 0;
      if (x instanceof Member) return x.value !== "";
      return x instanceof Many ? agreed(Boolean, x) : true;
    }
    return Boolean(x);
  };
  const isPlain = (x) => typeof x === "number" || typeof x === "boolean" || x instanceof Float;
  const isSequence = (x) => Array.isArray(x) || typeof x === "string";
  function add(a, b) {
    if (typeof a === "number" && typeof b === "number") return a + b;
    if (some(a, b)) return lifted(add, a, b);
    if (isPlain(a) && isPlain(b)) return Number(a) + Number(b);
    return typeof a === "string" ? a + b : [...a, ...b];
  }
  function mul(a, b) {
    if (typeof a === "number" && typeof b === "number") return a * b;
    if (some(a, b)) return lifted(mul, a, b);
    if (!isSequence(a) && !isSequence(b)) return Number(a) * Number(b);
    if (typeof a === "string") return a.repeat(Number(b));
    const [items, times] = Array.isArray(a) ? [a, Number(b)] : [b, Number(a)];
    return Array.from({ length: times }, () => items).flat();
  }
  function sub(a, b) {
    if (typeof a === "number" && typeof b === "number") return a - b;
    if (a instanceof Dict) return set([...a].filter((x) => !b.contains(x)));
    return some(a, b) ? lifted(sub, a, b) : a - b;
  }
  function checked(b) {
    if (Number(b) === 0) throw new UserError("division by zero");
    return b;
  }
  const div = lift((a, b) => a / checked(b));
  const floordiv = lift((a, b) => Math.floor(a / checked(b)));
  const mod = lift((a, b) => ((a % checked(b)) + Number(b)) % b);
  const pow = lift((a, b) => a ** b);
  const neg = lift((a) => -a);
  const or = (a, b) => (a instanceof PySet ? set([...a, ...b]) : new Dict([...pairs(a), ...pairs(b)]));
  const is = (a, b) => a === b || (a ?? null) === (b ?? null);
  function eq(a, b) {
    if (a === b) return true;
    if (typeof a === "number" && typeof b === "number") return false;
    return some(a, b) ? agreed(eq, a, b) : key(a) === key(b);
  }
  function lt(a, b) {
    if (typeof a === "number" && typeof b === "number") return a < b;
    return some(a, b) ? agreed(lt, a, b) : a < b;
  }
  function le(a, b) {
    if (typeof a === "number" && typeof b === "number") return a <= b;
    if (a instanceof Dict) return [...a].every((x) => b.contains(x));
    return some(a, b) ? agreed(le, a, b) : a <= b;
  }
  function has(where, x) {
    if (typeof where === "string") return where.includes(x);
    if (where instanceof Dict) return where.contains(x);
    return [...where].some((one) => eq(one, x));
  }
  function at(x, i) {
    if (x instanceof Dict) {
      if (!x.contains(i)) throw new UserError(`no ${i}`);
      return x.find(i);
    }
    const items = isSequence(x) ? x : [...x];
    return items[i < 0 ? items.length + i : i];
  }
  const put = (x, i, value) => {
    if (x instanceof Dict) x.put(i, value);
    else x[i < 0 ? x.length + i : i] = value;
  };
  const slice = (x, from, to) => (isSequence(x) ? x : [...x]).slice(from ?? 0, to ?? undefined);

  /* The nearest whole number, of two the even one. */
  const round = lift((x) => {
    const low = Math.floor(x);
    const rest = x - low;
    return rest > 0.5 || (rest === 0.5 && low % 2 !== 0) ? low + 1 : low;
  });
  const [expm1, log1p, ceil] = [Math.expm1, Math.log1p, Math.ceil].map(lift);

  return {
    Many, Mixed, some, lifted, truth, add, mul, sub, div, floordiv, mod, pow, neg, or, is, eq, lt, le, has, at, put, slice,
    round, expm1, log1p, ceil,
  };
})());
