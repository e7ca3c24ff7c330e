/** M14 over the message channel, at the Node host: certificates of the real authorities, and each way to cheat with them. */

import "reflect-metadata";
import * as x509 from "@peculiar/x509";
import { beforeAll, describe, expect, it } from "vitest";
import { loopbackFetch } from "#cli/loopback-fetch.ts";
import { certificateCrypto, certificateSigningKey, rawSignature } from "#edge/hsm/index.ts";
import { encodeBase64url } from "#protocol/base64url.ts";
import { utf8 } from "#protocol/bytes.ts";
import { codeOf } from "#protocol/error.ts";
import { IDENTITY, INSTANCES_CA, named } from "#protocol/hierarchy/index.ts";
import { type Channel, channelProofInput } from "#protocol/mutual.ts";
import { createPortClient, type HelloResult, type PortClient } from "#protocol/port/index.ts";
import { Microservice } from "#web/client/microservice.ts";
import { authenticate, type CertifiedKey } from "#web/client/mutual.ts";
import type { RestClient } from "#web/client/rest.ts";
import { startMicroservice } from "#web/hosts/node/index.ts";
import { EdgeClient } from "../support/edge-client.ts";
import { askGrant } from "../support/instance.ts";
import { hsmClient } from "../system/hsm.ts";
import { useSystem } from "../system/index.ts";

const system = useSystem({ otherApps: ["second"] });
type Proof = Parameters<PortClient["authenticate"]>[0];
type Answer = Awaited<ReturnType<PortClient["authenticate"]>>;
type Started = {
  port: PortClient;
  hello: HelloResult & { instance: NonNullable<HelloResult["instance"]> };
  clock: { ahead: number };
};
let ann: EdgeClient;
let bob: EdgeClient;
let elsewhere: EdgeClient;

beforeAll(async () => {
  ann = await EdgeClient.signedIn(system, "Ann");
  bob = await EdgeClient.signedIn(system, "Bob");
  // The same person in another app of the deployment.
  elsewhere = await EdgeClient.signedIn({ ...system, appOrigin: system.origin("second") }, "Ann");
});

function startedFor(of: EdgeClient, clock = { ahead: 0 }) {
  const withCookie: typeof fetch = (input, init) => {
    const headers = { ...(init?.headers as Record<string, string>), origin: of.vault, cookie: of.cookie };
    return loopbackFetch(input, { ...init, headers });
  };
  return startMicroservice({
    ...{ vault: of.vault, origin: of.app, fetch: withCookie, rootKey: system.running.rootKey },
    ...{ mutual: true, now: () => Date.now() + clock.ahead },
  });
}

/** A microservice of this custodian, enrolled, that has said hello. */
async function start(of = ann): Promise<Started> {
  const clock = { ahead: 0 };
  const port = createPortClient(startedFor(of, clock).port);
  const hello = await port.hello(of.tokens.custodian.dn);
  const instance = await port.enrol({ method: "grant", grant: await askGrant(of) });
  return { port, hello: { ...hello, instance }, clock };
}

const by = (of: EdgeClient, key: CertifiedKey = of.certifiedKey) => ({
  origin: of.app,
  key,
  now: Date.now(),
});
const far = ({ hello: { challenge = "", measurement, instance } }: Started) => ({
  challenge,
  measurement,
  instance,
});
const prove = (at: Started, of = ann) => authenticate(at.port, far(at), by(of));
/** Whether keys can be asked for: what every operation with keys is held to. */
const uses = (port: PortClient) => port.has("e30.e30.AA").then(() => "served", codeOf);

/** What a thief of the registration authority's identity at the HSM can have certified. */
async function certifiedByInstances(of: EdgeClient): Promise<CertifiedKey> {
  const ra = await hsmClient(system, IDENTITY.ra);
  const locate = async (name: string) => {
    const { uniqueIdentifier } = await ra.request("Locate", { attributes: { name: named(name) } });
    return uniqueIdentifier[0] ?? "";
  };
  const { object } = await ra.request("Get", { uniqueIdentifier: await locate(INSTANCES_CA.certificate) });
  const authority = new x509.X509Certificate(new Uint8Array(object.certificate?.certificateValue ?? []));
  const sign = async (name: string, data: Uint8Array) => {
    const { signatureData } = await ra.request("Sign", {
      uniqueIdentifier: await locate(name),
      cryptographicParameters: { digitalSignatureAlgorithm: "ECDSAWithSHA256" },
      data,
    });
    return rawSignature(signatureData);
  };
  const own = new x509.X509Certificate(Buffer.from(of.tokens.custodian.certificate, "base64url"));
  const { subject, notBefore, notAfter, publicKey, extensions } = own;
  const made = await x509.X509CertificateGenerator.create(
    {
      ...{ subject, issuer: authority.subject, notBefore, notAfter, publicKey: publicKey.rawData },
      extensions: extensions.filter(({ type }) => type !== "2.5.29.35"),
      signingKey: certificateSigningKey,
      signingAlgorithm: { name: "ECDSA", hash: "SHA-256" },
    },
    certificateCrypto({ sign }, INSTANCES_CA.key),
  );
  ra.close();
  const [, root = ""] = of.certifiedKey.chain;
  const chain = [encodeBase64url(new Uint8Array(authority.rawData)), root];
  return { ...of.certifiedKey, certificate: encodeBase64url(new Uint8Array(made.rawData)), chain };
}

/** What the custodian sends, and gets, as somebody between the two would have it. */
function between(
  port: PortClient,
  change: {
    asked?(proof: Proof): Proof | Promise<Proof>;
    answered?(answer: Answer, proof: Proof): Answer | Promise<Answer>;
  },
): Pick<PortClient, "authenticate"> {
  return {
    async authenticate(proof) {
      const sent = (await change.asked?.(proof)) ?? proof;
      const answer = await port.authenticate(sent);
      return (await change.answered?.(answer, proof)) ?? answer;
    },
  };
}

describe("M14 the custodian proves who it is", () => {
  it("M14 M13 before that no operation with a key is served, and after it each is; a proof of both sides holds", async () => {
    const at = await start();
    const context = { tenant: "development", account: ann.account, purpose: "data", document: "d" };
    const operations: [string, () => Promise<unknown>][] = [
      ["has", () => at.port.has("e30.e30.AA")],
      ["certificate", () => at.port.certificate()],
      [
        "load",
        () => at.port.load({ way: "rewrap", edk: "e30.e30.AA", wrappedKey: "AA", receipt: "e30.e30.AA" }),
      ],
      ["entrust", () => at.port.entrust(["e30.e30.AA"])],
      ["prefetch", () => at.port.prefetch(ann.account)],
      ["renew", () => at.port.renew(ann.account)],
      ["seal", () => at.port.seal({ edk: "e30.e30.AA", context }, utf8("x")).getReader().read()],
      ["mac", () => at.port.operate("mac", { key: "e30.e30.AA", data: "AA" })],
    ];
    const refusals = () =>
      Promise.all(operations.map(async ([name, ask]) => [name, await ask().then(() => null, codeOf)]));
    for (const [name, code] of await refusals()) expect(code, String(name)).toBe("custodian-unproven");
    await prove(at);
    for (const [name, code] of await refusals()) expect(code, String(name)).not.toBe("custodian-unproven");
    expect(await uses(at.port)).toBe("served");
  });

  it("M14 M20 a challenge works once, for five minutes, and not after the next hello", async () => {
    const at = await start();
    await prove(at);
    expect(await prove(at).catch(codeOf), "used").toBe("custodian-unproven");
    const first = await start();
    await first.port.hello(ann.tokens.custodian.dn);
    expect(await prove(first).catch(codeOf), "of the hello before").toBe("custodian-unproven");
    const late = await start();
    late.clock.ahead = 5 * 60_000 + 1000;
    expect(await prove(late).catch(codeOf), "stale").toBe("custodian-unproven");
    for (const { port } of [first, late]) expect(await uses(port)).toBe("custodian-unproven");
    // A failed proof has used the challenge up.
    const third = await start();
    const wrong = { ...ann.certifiedKey, sign: bob.certifiedKey.sign };
    expect(await authenticate(third.port, far(third), by(ann, wrong)).catch(codeOf)).toBe(
      "custodian-unproven",
    );
    expect(await prove(third).catch(codeOf)).toBe("custodian-unproven");
  });

  it.each<[string, (at: Started) => Promise<unknown>]>([
    ["another custodian, by its own certificate", (at) => authenticate(at.port, far(at), by(bob))],
    [
      "another custodian, in this one's name",
      (at) => authenticate(at.port, far(at), by(ann, { ...bob.certifiedKey, dn: ann.tokens.custodian.dn })),
    ],
    ["the same person's custodian of another origin", (at) => authenticate(at.port, far(at), by(elsewhere))],
    [
      "this custodian's certificate without its key",
      (at) => authenticate(at.port, far(at), by(ann, { ...ann.certifiedKey, sign: bob.certifiedKey.sign })),
    ],
    [
      "a signature for another origin",
      (at) => authenticate(at.port, far(at), { ...by(ann), origin: elsewhere.app }),
    ],
    [
      "a certificate of the instances' authority",
      async (at) => {
        const { instance } = at.hello;
        const certificate = instance.wrappingCertificate;
        return authenticate(at.port, far(at), by(ann, { ...ann.certifiedKey, certificate }));
      },
    ],
    [
      "this custodian's name and key, certified by the instances' authority",
      async (at) => authenticate(at.port, far(at), by(ann, await certifiedByInstances(ann))),
    ],
    [
      "a certificate that no authority of this deployment issued",
      (at) => {
        const { certificate, chain } = ann.certifiedKey;
        return authenticate(
          at.port,
          far(at),
          by(ann, { ...ann.certifiedKey, chain: [certificate, ...chain] }),
        );
      },
    ],
    [
      "one flipped bit in the signature",
      (at) => {
        const sign = async (bytes: Uint8Array<ArrayBuffer>) => {
          const signature = await ann.certifiedKey.sign(bytes);
          return signature.with(5, (signature[5] ?? 0) ^ 1);
        };
        return authenticate(at.port, far(at), by(ann, { ...ann.certifiedKey, sign }));
      },
    ],
  ])("M14 M13 is refused: %s", async (_, attempt) => {
    const at = await start();
    expect(await attempt(at).catch(codeOf)).toBe("custodian-unproven");
    expect(await uses(at.port)).toBe("custodian-unproven");
  });

  it("M14 a proof that was made for another channel proves nothing on this one", async () => {
    const [one, other] = [await start(), await start()];
    let taken: Proof | undefined;
    const recorded = between(one.port, {
      asked: (proof) => {
        taken = proof;
        return proof;
      },
    });
    await authenticate(recorded, far(one), by(ann));
    expect(await other.port.authenticate(taken as Proof).catch(codeOf)).toBe("custodian-unproven");
    // Nor one that was made with this channel's challenge, for the instance of the other.
    const third = await start();
    const crossed = { ...far(one), challenge: third.hello.challenge ?? "" };
    expect(await authenticate(third.port, crossed, by(ann)).catch(codeOf)).toBe("custodian-unproven");
  });

  it("M14 a custodian that has another certificate by now proves anew on the open port, and counts by that alone", async () => {
    const at = await start();
    await prove(at);
    const again = {
      ...at,
      hello: { ...at.hello, ...(await at.port.hello(ann.tokens.custodian.dn)) },
    } as Started;
    await prove(again);
    expect(await uses(at.port)).toBe("served");
    const third = await at.port.hello(ann.tokens.custodian.dn);
    const stranger = { ...far(at), challenge: third.challenge ?? "" };
    expect(await authenticate(at.port, stranger, by(bob)).catch(codeOf)).toBe("custodian-unproven");
    expect(await uses(at.port), "what was proved before").toBe("custodian-unproven");
  });

  it("M14 the kit proves anew, once for all who ask, when its custodian has got another certificate", async () => {
    const other = await EdgeClient.signedIn(system, "Ann");
    let key = ann.certifiedKey;
    let proofs = 0;
    const certifiedKey = async () => {
      const { sign, ...of } = key;
      const counted = (bytes: Uint8Array<ArrayBuffer>) => {
        proofs++;
        return sign(bytes);
      };
      return { ...of, sign: counted };
    };
    const kit = new Microservice({
      open: async () => ({ port: startedFor(ann).port, mutual: true, remove() {} }),
      rest: {} as RestClient,
      custodian: () => ann.tokens.custodian.dn,
      ...{ app: ann.app, certifiedKey, now: Date.now },
      enrolment: async () => ({ method: "grant", grant: await askGrant(ann) }),
    });
    const { port, instance } = await kit.use();
    await kit.use();
    expect([proofs, await uses(port)]).toEqual([1, "served"]);
    key = other.certifiedKey;
    const both = await Promise.all([kit.use(), kit.use()]);
    expect(both.map((each) => each.instance.id)).toEqual([instance.id, instance.id]);
    await kit.use();
    expect([proofs, await uses(port)]).toEqual([2, "served"]);
    kit.stop();
  });

  it("M14 a proof ends with the certificate that it was made by", async () => {
    const at = await start();
    await prove(at);
    expect(await uses(at.port)).toBe("served");
    at.clock.ahead = 366 * 24 * 3600_000;
    expect(await uses(at.port)).not.toBe("served");
    expect(await at.port.certificate().catch(codeOf)).toMatch(/^(not-enrolled|custodian-unproven)$/);
  });
});

describe("M14 the microservice proves what it is", () => {
  const channelOf = (at: Started, proof: Proof): Channel => ({
    ...{ origin: ann.app, custodian: ann.tokens.custodian.dn, measurement: at.hello.measurement },
    ...{ instance: at.hello.instance.id, wrappingCertificate: at.hello.instance.wrappingCertificate },
    challenges: { custodian: proof.challenge, microservice: at.hello.challenge ?? "" },
    certificate: proof.certificate,
  });
  type Change = (answer: Answer, proof: Proof, at: Started) => Answer | Promise<Answer>;

  it.each<[string, Change]>([
    ["the custodian's own signature, reflected", (answer, { proof }) => ({ ...answer, proof })],
    [
      "the custodian's key and certificate in its place",
      async (_, proof, at) => {
        const signed = await ann.certifiedKey.sign(channelProofInput("microservice", channelOf(at, proof)));
        return { chain: [proof.certificate, ...ann.certifiedKey.chain], proof: encodeBase64url(signed) };
      },
    ],
    [
      "the certificate and proof of another instance",
      async () => {
        const other = await start();
        let answer: Answer | undefined;
        const recorded = between(other.port, {
          answered: (given) => {
            answer = given;
            return given;
          },
        });
        await authenticate(recorded, far(other), by(ann));
        return answer as Answer;
      },
    ],
    [
      "another instance's certificate before its own signature",
      async ({ proof }) => {
        const other = await start();
        let chain: string[] = [];
        await authenticate(
          between(other.port, {
            answered: (given) => {
              chain = given.chain;
              return given;
            },
          }),
          far(other),
          by(ann),
        );
        return { chain, proof };
      },
    ],
    ["no path to the root", ({ chain, proof }) => ({ chain: chain.slice(0, 2), proof })],
  ])("M14 is refused: %s", async (_, change) => {
    const at = await start();
    const answered = (answer: Answer, proof: Proof) => change(answer, proof, at);
    const attempt = authenticate(between(at.port, { answered }), far(at), by(ann));
    expect(await attempt.catch(codeOf)).toBe("microservice-unproven");
  });

  it("M14 an instance whose certificate has expired proves nothing", async () => {
    const at = await start();
    const later = { ...by(ann), now: Date.now() + 25 * 3600_000 };
    expect(await authenticate(at.port, far(at), later).catch(codeOf)).toBe("microservice-unproven");
  });
});
