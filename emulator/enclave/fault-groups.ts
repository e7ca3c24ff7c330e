/** All faults, in the groups in which the page of the emulator has them. */
import { CREDENTIAL_FAULTS } from "./credential-faults.ts";
import { EVIDENCE_FAULTS } from "./evidence-faults.ts";
import {
  CREDENTIAL_FAULTS_SAID,
  EVIDENCE_FAULTS_SAID,
  type FaultSaid,
  NITRO_FAULTS_SAID,
} from "./faults-said.ts";
import { NITRO_FAULTS } from "./nitro-faults.ts";
import { SERVICE_FAULTS } from "./service-faults.ts";

export interface FaultGroup {
  readonly title: string;
  /** Whose enrolments it is about. */
  readonly about: string;
  readonly faults: Readonly<Record<string, FaultSaid>>;
}

export const FAULT_GROUPS = {
  service: {
    title: "Services",
    about:
      "What happens between the registration authority and others. For every microservice, those of the browser too: with a passkey and in an enclave its evidence goes to the verifier, and by a grant or a secret zero it shows a credential that works once.",
    faults: SERVICE_FAULTS,
  },
  eat: {
    title: "Evidence: an EAT",
    about:
      "For microservices in Node: coffer launch --method attestation, and coffer.enrolInEnclave of the test kit.",
    faults: inOrder(EVIDENCE_FAULTS, EVIDENCE_FAULTS_SAID),
  },
  credential: {
    title: "Evidence: a credential of the platform",
    about:
      "For microservices in Node: coffer launch --method attestation with --evidence signed or encrypted.",
    faults: inOrder(CREDENTIAL_FAULTS, CREDENTIAL_FAULTS_SAID),
  },
  nitro: {
    title: "Evidence: a document like those of AWS Nitro",
    about: "For microservices in Node: coffer launch --method attestation --evidence nitro.",
    faults: inOrder(NITRO_FAULTS, NITRO_FAULTS_SAID),
  },
} as const satisfies Record<string, FaultGroup>;

export type FaultGroupName = keyof typeof FAULT_GROUPS;

/** One fault, as `GROUP/NAME` names it. */
export interface FaultChosen {
  group: FaultGroupName;
  name: string;
}

/** Null for what is no fault of the list. */
export function faultNamed(text: string): FaultChosen | null {
  const [group = "", name = "", ...more] = text.split("/");
  if (more.length > 0 || !isGroup(group) || !Object.hasOwn(FAULT_GROUPS[group].faults, name)) return null;
  return { group, name };
}

function isGroup(text: string): text is FaultGroupName {
  return Object.hasOwn(FAULT_GROUPS, text);
}

/** What enclaves of each form take, by the names of the page. */
export const ENCLAVE_FAULTS = {
  eat: EVIDENCE_FAULTS,
  credential: CREDENTIAL_FAULTS,
  nitro: NITRO_FAULTS,
} as const;

/** What is said of faults, in the order of what makes them. */
function inOrder<Name extends string>(
  faults: Readonly<Record<Name, unknown>>,
  said: Readonly<Record<Name, FaultSaid>>,
): Record<Name, FaultSaid> {
  const names = Object.keys(faults) as Name[];
  return Object.fromEntries(names.map((name) => [name, said[name]])) as Record<Name, FaultSaid>;
}
