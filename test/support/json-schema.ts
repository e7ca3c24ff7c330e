/** Evaluates JSON Schema (2020-12), as far as the published contract uses it; throws for a keyword that it does not know. */

type Schema = Record<string, unknown>;

/** What does not fit, each with its place. `closed`: members that no schema names do not fit either. */
export function mistakes(root: unknown, schema: Schema, value: unknown, { closed = false } = {}): string[] {
  const look = (schema: Schema, value: unknown, at: string): string[] => {
    const found: string[] = [];
    const hold = (fits: boolean, keyword: string) => void (fits || found.push(`${at}: ${keyword}`));
    const members = isObject(value) ? Object.entries(value) : [];
    const keywords: Record<string, (to: never) => void> = {
      $ref: (to: string) => found.push(...look(resolve(root, to), value, at)),
      description: () => {},
      type: (to: string) => hold(typeOf(value, to), `type ${to}`),
      const: (to: unknown) => hold(value === to, `const ${to}`),
      enum: (to: unknown[]) => hold(to.includes(value), `enum ${to}`),
      minimum: (to: number) => hold(typeof value !== "number" || value >= to, `minimum ${to}`),
      maximum: (to: number) => hold(typeof value !== "number" || value <= to, `maximum ${to}`),
      minLength: (to: number) =>
        hold(typeof value !== "string" || [...value].length >= to, `minLength ${to}`),
      maxLength: (to: number) =>
        hold(typeof value !== "string" || [...value].length <= to, `maxLength ${to}`),
      pattern: (to: string) =>
        hold(typeof value !== "string" || new RegExp(to, "u").test(value), `pattern ${to}`),
      minItems: (to: number) => hold(!Array.isArray(value) || value.length >= to, `minItems ${to}`),
      maxItems: (to: number) => hold(!Array.isArray(value) || value.length <= to, `maxItems ${to}`),
      uniqueItems: () => hold(!Array.isArray(value) || new Set(value).size === value.length, "uniqueItems"),
      items(to: Schema) {
        if (Array.isArray(value))
          for (const [i, one] of value.entries()) found.push(...look(to, one, `${at}[${i}]`));
      },
      required(to: string[]) {
        if (isObject(value)) for (const name of to) hold(Object.hasOwn(value, name), `required ${name}`);
      },
      properties(to: Record<string, Schema>) {
        for (const [name, one] of members)
          if (to[name]) found.push(...look(to[name], one, `${at}.${name}`));
          else if (closed) found.push(`${at}: ${name} is not published`);
      },
      maxProperties: (to: number) => hold(members.length <= to, `maxProperties ${to}`),
      propertyNames(to: Schema) {
        for (const [name] of members) found.push(...look(to, name, `${at}.${name}`));
      },
      additionalProperties(to: unknown) {
        if (isObject(to)) {
          for (const [name, one] of members) found.push(...look(to, one, `${at}.${name}`));
          return;
        }
        if (to !== false) throw new Error("additionalProperties");
        for (const [name] of members) hold(Object.hasOwn(Object(schema.properties), name), `no ${name}`);
      },
      allOf: (to: Schema[]) => {
        // Of several schemas for one object each names some members; one that none of them names does not fit.
        const each = to.map((one) => look(one, value, at));
        for (const mistake of new Set(each.flat()))
          if (!mistake.endsWith("is not published") || each.every((one) => one.includes(mistake)))
            found.push(mistake);
      },
      oneOf: (to: Schema[]) =>
        hold(to.filter((one) => look(one, value, at).length === 0).length === 1, "oneOf"),
      anyOf: (to: Schema[]) =>
        hold(
          to.some((one) => look(one, value, at).length === 0),
          "anyOf",
        ),
    };
    for (const [keyword, to] of Object.entries(schema)) {
      const apply = keywords[keyword];
      if (!apply) throw new Error(`unknown keyword ${keyword}`);
      apply(to as never);
    }
    return found;
  };
  return look(schema, value, "$");
}

function resolve(root: unknown, ref: string): Schema {
  const found = ref
    .split("/")
    .slice(1)
    .reduce<unknown>((at, name) => Object(at)[name], root);
  if (!isObject(found)) throw new Error(`${ref} leads nowhere`);
  return found;
}

function typeOf(value: unknown, type: string): boolean {
  if (type === "integer") return Number.isInteger(value);
  if (type === "array") return Array.isArray(value);
  if (type === "object") return isObject(value);
  if (type === "null") return value === null;
  return typeof value === type;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
