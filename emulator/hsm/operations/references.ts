import { KmipError, type UniqueIdentifier } from "#protocol/kmip/index.ts";

/** KMIP 2.1, ID Placeholder: identifiers that later items of a batch may refer to. */
export class References {
  #named = new Map<string, string>();
  #ordered: string[] = [];

  /** Sets the ID Placeholder, and what 2.x calls by the operation's name. */
  set(uid: string, ...names: string[]): void {
    for (const name of ["IDPlaceholder", ...names]) this.#named.set(name, uid);
    this.#ordered.push(uid);
  }

  /** A further object of the operation, which 2.x may refer to by its number. */
  add(uid: string): void {
    this.#ordered.push(uid);
  }

  /** Sets a name of 2.x only. */
  name(uid: string, name: string): void {
    this.#named.set(name, uid);
    this.#ordered.push(uid);
  }

  clearPlaceholder(): void {
    this.#named.delete("IDPlaceholder");
  }

  resolve(identifier: UniqueIdentifier | undefined): string {
    const found =
      typeof identifier === "string"
        ? identifier
        : typeof identifier === "number"
          ? this.#ordered.at(identifier)
          : this.#named.get(identifier ? String(identifier.reference) : "IDPlaceholder");
    if (found === undefined)
      throw new KmipError("ObjectNotFound", "No object is named and none was made before");
    return found;
  }
}
