/** Watches the keys that the HSM emulator makes and unwraps, from inside its own process: what no outsider may ever see. */

import { privateKeyOf } from "#emulator/hsm/store/material.ts";
import { ObjectStore } from "#emulator/hsm/store/store.ts";
import { Work } from "#emulator/hsm/store/work.ts";
import { decodeBase64url } from "#protocol/base64url.ts";
import { type KeyClass, POLICY, policyAttribute } from "#protocol/hierarchy/index.ts";
import { type Needle, needle } from "../memory/index.ts";

/** A key of the hierarchy in plaintext. */
export type HsmKey = { uid: string; keyClass: string; bytes: Uint8Array };

/** What scans look for: each of these keys, by its class. */
export function needlesOf(keys: readonly HsmKey[]): Needle[] {
  return keys.map(({ keyClass, bytes }, index) => needle(`${keyClass} key ${index}`, bytes));
}

export type KeyWatch = {
  /** All keys seen until now, each value once. */
  keys: HsmKey[];
  ofClass(keyClass: KeyClass): HsmKey[];
  stop(): void;
};

type Managed = Parameters<Work["put"]>[0];

function secretOf(object: Managed): Uint8Array | undefined {
  if (object.objectType === "PrivateKey" && object.value) {
    const { p, d } = privateKeyOf(object).export({ format: "jwk" });
    const secret = p ?? d;
    return secret === undefined ? undefined : decodeBase64url(secret);
  }
  const { symmetricKey, secretData } = { symmetricKey: undefined, secretData: undefined, ...object.value };
  const holder = symmetricKey ?? secretData;
  const value = holder?.keyBlock.keyValue;
  if (!value || value instanceof Uint8Array) return undefined;
  const material = value.keyMaterial;
  return material instanceof Uint8Array ? material : material.key;
}

/** Every key with a class that is put into the store, however short its life there is; of an RSA pair a prime, on a curve the scalar. */
export function watchKeys(onKey: (key: HsmKey) => void = () => {}): KeyWatch {
  const keys: HsmKey[] = [];
  const seen = new Set<string>();
  const look = (object: Managed) => {
    const keyClass = policyAttribute(object.attributes, POLICY.class);
    const bytes = keyClass === undefined ? undefined : secretOf(object);
    // What the HSM keeps as it was wrapped is no secret of its own: others have it too.
    if (keyClass === undefined || keyClass === "encrypted" || !bytes) return;
    const hex = Buffer.from(bytes).toString("hex");
    if (seen.has(hex)) return;
    seen.add(hex);
    const key = { uid: object.uid, keyClass, bytes: Uint8Array.from(bytes) };
    keys.push(key);
    onKey(key);
  };
  const { put } = Work.prototype;
  const { commit } = ObjectStore.prototype;
  Work.prototype.put = function (object) {
    look(object);
    return put.call(this, object);
  };
  ObjectStore.prototype.commit = function (objects) {
    const all = [...objects];
    for (const object of all) look(object);
    return commit.call(this, all);
  };
  return {
    keys,
    ofClass: (keyClass) => keys.filter((key) => key.keyClass === keyClass),
    stop() {
      Work.prototype.put = put;
      ObjectStore.prototype.commit = commit;
    },
  };
}
