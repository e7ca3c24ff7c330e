import { WorkerEntrypoint } from "cloudflare:workers";
import type { Caller } from "../caller.ts";
import { type Result, refuse } from "../result.ts";
import { readEdks } from "./edk.ts";
import { deploymentHsm } from "./hsm.ts";
import type { Operated, Operation, WithoutKey } from "./operating/index.ts";
import { isolateTrust } from "./trust.ts";

type Asked<O extends Operation["operation"]> = Extract<Operation, { operation: O }>;

/** The KMS's door for the CaaS: operations with data keys, which the HSM does and the CaaS has the content of. It is given no key. */
export class KmsForCaas extends WorkerEntrypoint<Env> {
  /** Each with the key of an EDK. Errors beside those of the operation: `key-missing` for an EDK that none of ours is. */
  async encrypt(caller: Caller, edk: string, asked: Asked<"encrypt">): Promise<Result<Operated["encrypt"]>> {
    return this.#operate(caller, edk, asked);
  }

  async decrypt(caller: Caller, edk: string, asked: Asked<"decrypt">): Promise<Result<Operated["decrypt"]>> {
    return this.#operate(caller, edk, asked);
  }

  async mac(caller: Caller, edk: string, asked: Asked<"mac">): Promise<Result<Operated["mac"]>> {
    return this.#operate(caller, edk, asked);
  }

  async macVerify(
    caller: Caller,
    edk: string,
    asked: Asked<"macVerify">,
  ): Promise<Result<Operated["macVerify"]>> {
    return this.#operate(caller, edk, asked);
  }

  async sign(caller: Caller, edk: string, asked: Asked<"sign">): Promise<Result<Operated["sign"]>> {
    return this.#operate(caller, edk, asked);
  }

  /** The public half, for whom policy lets verify. */
  async verifier(caller: Caller, edk: string): Promise<Result<Operated["verify"]>> {
    return this.#operate(caller, edk, { operation: "verify" });
  }

  /** A digest, or random bytes. */
  async withoutKey(caller: Caller, asked: WithoutKey): Promise<Result<Uint8Array<ArrayBuffer>>> {
    const { tenant, user } = caller;
    return this.env.KMS_PRINCIPAL_OBJECT.getByName(`${tenant}/${user}`).withoutKey(caller, asked);
  }

  async #operate<O extends Operation>(
    caller: Caller,
    edk: string,
    asked: O,
  ): Promise<Result<Operated[O["operation"]]>> {
    const { HSM_KMS, COFFER_HSM_URL, KMS_ACCOUNT_OBJECT, KMS_PRINCIPAL_OBJECT } = this.env;
    const { tenant } = caller;
    const read = await readEdks(isolateTrust(deploymentHsm({ HSM_KMS, COFFER_HSM_URL }), COFFER_HSM_URL), [
      edk,
    ]);
    const principal = (user: string) => KMS_PRINCIPAL_OBJECT.getByName(`${tenant}/${user}`);
    if (!read.ok) {
      const { problem, reason } = read;
      const refusal = problem.code === "invalid-edk" ? refuse("key-missing", reason) : read;
      return principal(caller.user).refused(caller, `kms:${asked.operation}`, refusal);
    }
    const [item] = read.value;
    if (item === undefined) throw new TypeError("one EDK is one item");
    const { account, owner } = item.edk;
    // Of another tenant's the caller's own object says no.
    const done =
      account === undefined
        ? await principal(item.edk.tenant === tenant ? owner : caller.user).operate(caller, asked, item)
        : await KMS_ACCOUNT_OBJECT.getByName(`${tenant}/${account}`).operate(caller, asked, item);
    return done as Result<Operated[O["operation"]]>;
  }
}
