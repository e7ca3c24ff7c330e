import { type NameAttribute, nameOfText, readName } from "../../pki/distinguished-name.ts";
import type { Request } from "../index.ts";

/** What is known of a request. What is undefined is not known here; null and an empty list say that there is none. */
export type Asked = Request & {
  /** `accounts/ACCOUNT/keys/KEY`, `keys/KEY` for a tenant's own. */
  resource: string;
  roles?: readonly string[] | undefined;
  groups?: readonly string[] | undefined;
  person?: string | null | undefined;
  method?: string | null | undefined;
  registers?: Readonly<Record<string, string>> | undefined;
  origin?: string | null | undefined;
  account?: string | null | undefined;
  purpose?: string | null | undefined;
  /** What came over HTTP: its path without the query, and its header fields in order. */
  http?: { path: string; headers: readonly (readonly [name: string, value: string])[] } | null | undefined;
};

export type Facts = Asked & {
  /** The principal's Distinguished Name, attribute by attribute. Undefined where it is none. */
  attributes: () => readonly Pick<NameAttribute, "type" | "text">[] | undefined;
};

/** The name is read once, for all statements, and only where one of them asks for it. */
export function factsOf(asked: Asked): Facts {
  let read: { attributes: ReturnType<Facts["attributes"]> } | undefined;
  return {
    ...asked,
    // No getter: whoever copies the facts would have it read.
    attributes() {
      read ??= { attributes: attributesOf(asked.principal) };
      return read.attributes;
    },
  };
}

function attributesOf(name: string): NameAttribute[] | undefined {
  try {
    const attributes = readName(nameOfText(name)).flat();
    return attributes.length > 0 ? attributes : undefined;
  } catch {
    return undefined;
  }
}
