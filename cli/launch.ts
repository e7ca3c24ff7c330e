import { resolve } from "node:path";
import { parseArgs } from "node:util";
import {
  ENCLAVE_FAULTS,
  type Enclave,
  emulatedCredentialEnclave,
  emulatedEnclave,
  emulatedNitroEnclave,
  type FaultChosen,
  faultNamed,
} from "#emulator/enclave/index.ts";
import { decodeBase64url } from "#protocol/base64url.ts";
import { METHOD_NAMES, type MethodName } from "#protocol/enrolment.ts";
import { codeOf } from "#protocol/error.ts";
import { instanceTier, parseCertificate } from "#protocol/pki/index.ts";
import { authenticate } from "#web/client/mutual.ts";
import { developmentPlatform, nodeMicroservice } from "./attestation.ts";
import { CommandError } from "./command-error.ts";
import { stopSignal } from "./interrupt.ts";
import { withLaunched } from "./launched.ts";
import { loopbackFetch } from "./loopback-fetch.ts";
import { tell } from "./output.ts";
import { COFFER } from "./parts/index.ts";
import { deploymentOf, SESSION_HELP, sessionOptions, withClient } from "./session-options.ts";
import { shown } from "./shown.ts";

export const LAUNCH_HELP = `coffer launch: start a microservice as a process of its own

Launches the microservice that was built for the deployment, has it enrol for the custodian as which you are signed in, and
prints what it is. It runs until Ctrl-C.

  --method NAME    how it shows that it may enrol:
                   secret-zero   a token that works once       (what is done unless you say otherwise)
                   grant         the custodian's own grant
                   attestation   evidence of its code, in the enclave emulator
  --evidence NAME  what the enclave's platform shows, with --method attestation:
                   eat           a token with its certificate  (what is done unless you say otherwise)
                   signed        a credential signed by the key that was assigned to it
                   encrypted     a credential encrypted under a secret that was assigned to it
                   nitro         a document like those of AWS Nitro
  --fault NAME     something wrong with the evidence, for a verifier to refuse (docs/enclave-emulator.md), in place of what
                   is on at the emulator's page of faults
  --once           end it when it has enrolled
  --json           one JSON object on standard output: id, custodian, method, tier, environment,
                   measurement, notAfter, certificate; another one, event, when it is asked to stop
${SESSION_HELP}
Exit code: 0 it enrolled, and has ended; 1 it did not; 2 the command line is wrong.

Example: ${COFFER} launch --method attestation --once
`;

/** `coffer launch` (M1, M2, M3). */
export async function launchMicroservice(args: string[]): Promise<number> {
  const { values } = parseArgs({
    args,
    options: {
      ...sessionOptions,
      method: { type: "string", default: "secret-zero" },
      evidence: { type: "string" },
      fault: { type: "string" },
      once: { type: "boolean", default: false },
      json: { type: "boolean", default: false },
    },
  });
  const method = methodOption(values.method);
  const evidence = evidenceOption(values.evidence, method);
  const asked = faultOption(values.fault, method, evidence);
  const dir = resolve(values.dir);
  return withClient(values, async (client) => {
    const { app: origin, vault, faults } = await deploymentOf(values);
    const fault = asked ?? (method === "attestation" ? await faultOn(faults, evidence) : undefined);
    const built = await nodeMicroservice(dir);
    const enclave =
      method === "attestation" ? await enclaveOf(evidence, { dir, vault, code: built, fault }) : undefined;
    const stop = values.once ? undefined : stopSignal(values.json);
    const code = enclave?.code ?? built;
    await withLaunched(client, { method, code, vault, origin, enclave }, async (launched) => {
      const { port, pid, hello } = launched;
      const { measurement, environment = "software", challenge = "" } = hello;
      const instance = await launched.enrol().catch((error: unknown) => {
        if (codeOf(error) !== "attestation-refused") throw error;
        const on =
          asked === undefined && fault !== undefined ? ` The fault ${fault} is on at ${faults}.` : "";
        throw new CommandError(`The evidence was refused: the audit log says why.${on}`, 1, error);
      });
      const by = { origin, key: await client.certifiedKey(), now: Date.now() };
      await authenticate(port, { challenge, measurement, instance }, by);
      const { id, notAfter, wrappingCertificate: certificate } = instance;
      const { dn: custodian } = client.identity.custodian;
      const said = { use: "wrapping", custodian, method } as const;
      const tier = instanceTier(parseCertificate(decodeBase64url(certificate)), said);
      const what = { id, custodian, method, tier, environment, measurement, notAfter };
      tell(values.json, described({ ...what, pid }).trimEnd(), { ...what, certificate });
      await Promise.race([stop?.stopped, launched.ended]);
    });
    return 0;
  });
}

function described(what: Record<string, string | number>): string {
  return Object.entries(what)
    .map(([name, value]) => `${name.padEnd(13)}${value}\n`)
    .join("");
}

function methodOption(text: string): MethodName {
  const method = METHOD_NAMES.find((name) => name === text);
  if (method === undefined)
    throw new CommandError(`--method takes ${METHOD_NAMES.join(", ")}, not '${shown(text)}'.`, 2);
  return method;
}

const EVIDENCE = ["eat", "signed", "encrypted", "nitro"] as const;
type EvidenceName = (typeof EVIDENCE)[number];

function evidenceOption(text: string | undefined, method: MethodName): EvidenceName {
  if (text === undefined) return "eat";
  if (method !== "attestation") throw new CommandError("--evidence is for --method attestation.", 2);
  const evidence = EVIDENCE.find((name) => name === text);
  if (evidence === undefined)
    throw new CommandError(`--evidence takes ${EVIDENCE.join(", ")}, not '${shown(text)}'.`, 2);
  return evidence;
}

function faultOption(text: string | undefined, method: MethodName, evidence: EvidenceName) {
  if (text === undefined) return undefined;
  if (method !== "attestation") throw new CommandError("--fault is for --method attestation.", 2);
  const faults = ENCLAVE_FAULTS[groupOf(evidence)];
  if (!Object.hasOwn(faults, text))
    throw new CommandError(`--fault takes one of: ${Object.keys(faults).join(", ")}.`, 2);
  return text;
}

function groupOf(evidence: EvidenceName) {
  return evidence === "signed" || evidence === "encrypted" ? "credential" : evidence;
}

/** What is on at the emulator's page for evidence of this form. Of a page that does not answer nothing is on. */
async function faultOn(page: string | undefined, evidence: EvidenceName): Promise<string | undefined> {
  if (page === undefined) return undefined;
  const said = await loopbackFetch(`${page}/fault`)
    .then((answer) => answer.json() as Promise<Partial<FaultChosen>>)
    .catch(() => undefined);
  const on = faultNamed(`${said?.group}/${said?.name}`);
  return on?.group === groupOf(evidence) ? on.name : undefined;
}

async function enclaveOf(
  evidence: EvidenceName,
  of: { dir: string; vault: string; code: Uint8Array; fault: string | undefined },
): Promise<Enclave> {
  const { vault, code, fault = "" } = of;
  const { assigned, nitro, ...platform } = await developmentPlatform(of.dir);
  const forms: Record<EvidenceName, () => Enclave | Promise<Enclave> | undefined> = {
    eat: () => emulatedEnclave(platform, code, { vault }, faultIn(ENCLAVE_FAULTS.eat, fault)),
    signed: () =>
      emulatedCredentialEnclave(platform, code, { vault }, faultIn(ENCLAVE_FAULTS.credential, fault)),
    encrypted: () =>
      assigned &&
      emulatedCredentialEnclave(assigned, code, { vault }, faultIn(ENCLAVE_FAULTS.credential, fault)),
    nitro: () => nitro && emulatedNitroEnclave(nitro, code, { vault }, faultIn(ENCLAVE_FAULTS.nitro, fault)),
  };
  const enclave = await forms[evidence]();
  if (!enclave) throw new CommandError("The platform has no such keys yet: start the deployment again.");
  return enclave;
}

function faultIn<Fault>(faults: Readonly<Record<string, Fault>>, name: string): Fault | undefined {
  return Object.hasOwn(faults, name) ? faults[name] : undefined;
}
