import { WorkerEntrypoint } from "cloudflare:workers";
import { decodeBase64url, encodeBase64url } from "#protocol/base64url.ts";
import type { Answer, Question } from "#protocol/operations/index.ts";
import type { Caller } from "../caller.ts";
import { ok, type Result } from "../result.ts";
import { decrypt, encrypt } from "./messages.ts";
import { verify } from "./verify.ts";

/**
 * The door of the CaaS for the gateway, which has verified access token, DPoP proof and the shape of what is asked. Whether it may be done the
 * KMS decides, and the HSM: an operation for which the officer has not allowed the tenant is `forbidden`.
 */
export class Caas extends WorkerEntrypoint<Env> {
  /** `POST /caas/operations/encrypt`. */
  async encrypt(caller: Caller, asked: Question<"encrypt">): Promise<Result<Answer<"encrypt">>> {
    return encrypt(this.env.KMS_FOR_CAAS, caller, asked);
  }

  /** `POST /caas/operations/decrypt`. */
  async decrypt(caller: Caller, asked: Question<"decrypt">): Promise<Result<Answer<"decrypt">>> {
    return decrypt(this.env.KMS_FOR_CAAS, caller, asked);
  }

  /** `POST /caas/operations/mac`. */
  async mac(caller: Caller, { key, data }: Question<"mac">): Promise<Result<Answer<"mac">>> {
    const asked = { operation: "mac", data: decodeBase64url(data) } as const;
    const done = await this.env.KMS_FOR_CAAS.mac(caller, key, asked);
    return done.ok ? ok({ mac: encodeBase64url(done.value.mac) }) : done;
  }

  /** `POST /caas/operations/macVerify`. */
  async macVerify(
    caller: Caller,
    { key, data, mac }: Question<"macVerify">,
  ): Promise<Result<Answer<"macVerify">>> {
    const bytes = { data: decodeBase64url(data), mac: decodeBase64url(mac) };
    const done = await this.env.KMS_FOR_CAAS.macVerify(caller, key, { operation: "macVerify", ...bytes });
    return done.ok ? ok({ valid: done.value.valid }) : done;
  }

  /** `POST /caas/operations/sign`. */
  async sign(caller: Caller, { key, data }: Question<"sign">): Promise<Result<Answer<"sign">>> {
    const asked = { operation: "sign", data: decodeBase64url(data) } as const;
    const done = await this.env.KMS_FOR_CAAS.sign(caller, key, asked);
    return done.ok ? ok({ signature: encodeBase64url(done.value.signature) }) : done;
  }

  /** `POST /caas/operations/verify`. */
  async verify(
    caller: Caller,
    { key, data, signature }: Question<"verify">,
  ): Promise<Result<Answer<"verify">>> {
    const found = await this.env.KMS_FOR_CAAS.verifier(caller, key);
    if (!found.ok) return found;
    const bytes = { data: decodeBase64url(data), signature: decodeBase64url(signature) };
    const { algorithm, publicKey } = found.value;
    const by = { algorithm, publicKey: decodeBase64url(publicKey) };
    return ok({ valid: await verify(by, bytes) });
  }

  /** `POST /caas/operations/publicKey`. */
  async publicKey(caller: Caller, { key }: Question<"publicKey">): Promise<Result<Answer<"publicKey">>> {
    return this.env.KMS_FOR_CAAS.verifier(caller, key);
  }

  /** `POST /caas/operations/hash`. */
  async hash(caller: Caller, { algorithm, data }: Question<"hash">): Promise<Result<Answer<"hash">>> {
    const asked = { operation: "hash", algorithm, data: decodeBase64url(data) } as const;
    const done = await this.env.KMS_FOR_CAAS.withoutKey(caller, asked);
    return done.ok ? ok({ digest: encodeBase64url(done.value) }) : done;
  }

  /** `POST /caas/operations/random`. */
  async random(caller: Caller, { length }: Question<"random">): Promise<Result<Answer<"random">>> {
    const done = await this.env.KMS_FOR_CAAS.withoutKey(caller, { operation: "random", length });
    return done.ok ? ok({ bytes: encodeBase64url(done.value) }) : done;
  }
}
