/**
 * AWS KMS as back end of a tenant's data keys (M19), by what the tenant's entry says of it. The HSM stays beside it, for what it does for
 * every tenant, and for data keys that were made there before.
 */

import { equalConstantTime } from "#protocol/bytes.ts";
import { keySaidIn } from "#protocol/evidence/index.ts";
import type { AwsKmsSettings } from "#protocol/hierarchy/index.ts";
import { checked, object, text } from "#protocol/shape.ts";
import {
  AttestationRefused,
  type AwsCredentials,
  awsKmsBackEnd,
  BackEndRefused,
  checkStanding,
  type Standing,
} from "../../hsm/index.ts";
import type { Attested, DataKeyBackEnd, DataKeyToRelease } from "./back-end.ts";

/** For a minute, as what is known of an HSM: by the key, whose policy says what is kept. */
const KEPT_MS = 60_000;
const standings = new Map<string, { value: Standing; until: number }>();

const word = text(1, 4096, /^[\x21-\x7e]+$/);
const credentials = object({ accessKeyId: word, secretAccessKey: word }, { sessionToken: word });

type Of = { tenant: string; settings: AwsKmsSettings; env: object; hsm: DataKeyBackEnd };

/** `env`: has the secret that the entry names. `hsm`: has the keys that were made there. */
export function awsBackEnd({ tenant, settings, env, hsm }: Of): DataKeyBackEnd {
  const { key, region, secret, without } = settings;
  const { endpoint = `https://kms.${region}.amazonaws.com/` } = settings;
  const aws = () =>
    awsKmsBackEnd({ tenant, key, region, endpoint, credentials: credentialsIn(env, secret) }, (...asked) =>
      fetch(...asked),
    );
  async function standing(): Promise<Standing> {
    const place = `${tenant} ${endpoint} ${key} ${secret}`;
    let known = standings.get(place);
    if (known === undefined || Date.now() >= known.until) {
      known = { value: await aws().standing(), until: Date.now() + KEPT_MS };
      standings.set(place, known);
    }
    checkStanding(known.value, { without });
    return known.value;
  }
  return {
    inHsm: false,
    beside: hsm,
    standing,
    holdsKeys: async () => false,
    async makeDataKeys({ account, keys }) {
      await standing();
      return aws().makeDataKeys({ tenant, account, count: keys.length });
    },
    async release(keys, to) {
      const here = keys.filter(({ edk }) => edk.wrapping === "aws-kms");
      if (here.length === 0) return hsm.release(keys, to);
      if (here.length < keys.length) throw new BackEndRefused("the keys are of two back ends");
      await standing();
      const attestation = documentOf(to.attested);
      return aws().release(
        here.map((one) => ofAccount(tenant, one)),
        { attestation },
      );
    },
  };
}

function ofAccount(tenant: string, { edk: { account }, wrappedDataKey }: DataKeyToRelease) {
  if (account === undefined) throw new BackEndRefused("the key is of no account");
  return { tenant, account, wrappedKey: wrappedDataKey };
}

/**
 * AWS KMS verifies the document and encrypts to whatever key that names: it has to be the one that the registration authority has
 * certified for this instance, or another instance of the same code would get the key.
 */
function documentOf(attested: Attested | undefined): Attested["document"] {
  if (attested === undefined) throw new AttestationRefused("no attestation document was shown");
  let said: Uint8Array | undefined;
  try {
    said = keySaidIn(attested.document);
  } catch (cause) {
    throw new AttestationRefused("what was shown is no attestation document", { cause });
  }
  if (said === undefined || !equalConstantTime(said, attested.spki))
    throw new AttestationRefused("the attestation document names another key than the certificate");
  return attested.document;
}

/** JSON of an identity's credentials. What is wrong with them is not said: the operator knows the secret's name. */
function credentialsIn(env: object, name: string): AwsCredentials {
  try {
    return checked(credentials, JSON.parse(String(Reflect.get(env, name))));
  } catch {
    throw new BackEndRefused(`${name} is not set, or has no credentials for AWS KMS`);
  }
}
