import type { KeyBlock } from "#protocol/kmip/index.ts";
import { symmetricKey } from "./objects.ts";
import { attempt, type Driver, makes, says } from "./outcome.ts";
import { bytesOf } from "./vectors.ts";

/** `MacTest`: MAC and MAC Verify; `full` is the length in bytes of a MAC that is not shortened. */
export const mac =
  (algorithm: KeyBlock["cryptographicAlgorithm"], full: number): Driver =>
  async (test, group, session) => {
    const tagLength = Number(group.tagSize) / 8;
    const [data, macData] = [bytesOf(test, "msg"), bytesOf(test, "tag")];
    const request = async () => ({
      uniqueIdentifier: await symmetricKey(session, algorithm, bytesOf(test, "key")),
      ...(tagLength < full
        ? { cryptographicParameters: { cryptographicAlgorithm: algorithm, tagLength } }
        : {}),
      data,
    });
    const [MAC, MACVerify] = await Promise.all([
      attempt(async () => makes(macData, (await session.use("MAC", await request())).macData)),
      attempt(async () => {
        const { validityIndicator } = await session.use("MACVerify", { ...(await request()), macData });
        return says(validityIndicator);
      }),
    ]);
    return { MAC, MACVerify };
  };
