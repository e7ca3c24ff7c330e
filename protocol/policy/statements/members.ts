/**
 * Refuses JSON in which an object names a member twice: `JSON.parse` keeps the last, people read the first. The text is
 * JSON already. Throws `TypeError`.
 */
export function refuseRepeated(json: string): void {
  const open: Set<string>[] = [];
  for (const [token, name] of json.matchAll(/"((?:[^"\\]|\\.)*)"\s*:|"(?:[^"\\]|\\.)*"|[{}]/g)) {
    if (token === "{") open.push(new Set());
    else if (token === "}") open.pop();
    else if (name !== undefined) {
      const member: unknown = JSON.parse(`"${name}"`);
      const members = open.at(-1);
      if (typeof member !== "string" || members?.has(member))
        throw new TypeError(`the member "${name}" is there twice`);
      members?.add(member);
    }
  }
}
