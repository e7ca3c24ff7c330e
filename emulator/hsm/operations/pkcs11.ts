import { utf8 } from "#protocol/bytes.ts";
import { KmipError } from "#protocol/kmip/index.ts";
import type { Handler } from "./handler.ts";
import type { Operation } from "./operation.ts";

/**
 * PKCS#11 (KMIP 2.1 §6.1.37, KMIP Profiles 2.1 §5.18 PKCS#11 Profiles): a session is a stream, named by its Correlation Value. Its functions use
 * the objects of no other operation, so that what the policy refuses there is not to be had here.
 */
const pkcs11: Handler<"PKCS_11"> = ({ pkcs_11Function: called, correlationValue }, context) => {
  const { streams, holder, now, random } = context;
  const answer = { pkcs_11Function: called, pkcs_11ReturnCode: "OK" as const };
  if (called === "C_Initialize") {
    const session = { holder, operation: "PKCS_11", state: undefined };
    return { ...answer, correlationValue: streams.open(session, now, random) };
  }
  if (!correlationValue) throw new KmipError("InvalidCorrelationValue", "There is no session");
  const session = streams.take(correlationValue, holder, "PKCS_11", now);
  if (called === "C_Finalize") return answer;
  streams.keep(correlationValue, session, now);
  if (called === "C_GetInfo") return { ...answer, pkcs_11OutputParameters: INFORMATION };
  throw new KmipError("PKCS_11InvalidFunction", "Not a function of this server");
};

/** CK_INFO (PKCS#11 2.40 §3.1): version 2.40, manufacturer (32), flags (8), description (32), version 1.0. */
const INFORMATION = new Uint8Array([
  2,
  40,
  ...utf8("Coffer".padEnd(32)),
  ...new Uint8Array(8),
  ...utf8("Coffer HSM emulator".padEnd(32)),
  1,
  0,
]);

export const PKCS_11: Operation<"PKCS_11"> = {
  handler: pkcs11,
  needsValue: false,
  unattested: false,
  deferrable: true,
  undoable: true,
  roles: [],
  ticket: "none",
  policyName: undefined,
  shared: false,
};
