import { KmipError } from "#protocol/kmip/index.ts";
import type { Handler } from "./handler.ts";

const MOST = 1024 * 1024;

/** RNG Retrieve (KMIP 2.1 §6.1.49): random bytes; from iam, what becomes of them is no key of the hierarchy. */
export const rngRetrieve: Handler<"RNGRetrieve"> = ({ dataLength }, { random }) => {
  if (dataLength < 1 || dataLength > MOST) throw new KmipError("InvalidField", "Not a length");
  return { data: random(dataLength) };
};

/** RNG Seed (KMIP 2.1 §6.1.50): the operating system's generator needs none; nothing of it is taken. */
export const rngSeed: Handler<"RNGSeed"> = () => ({ dataLength: 0 });
