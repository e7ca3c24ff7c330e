/** Evidence of every format, good and not, for all runtimes. */

import "reflect-metadata";
import { createPublicKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import * as x509 from "@peculiar/x509";
import {
  EVIDENCE_FAULTS,
  EVIDENCE_FAULTS_SAID,
  launchNitroEnclave,
  makeEvidence,
  makeNitroAuthority,
  makePlatform,
  NITRO_FAULTS,
  NITRO_FAULTS_SAID,
  NITRO_FORMS,
  type NitroFault,
  PLATFORM_VERSION,
  revokedKeyOf,
} from "#emulator/enclave/index.ts";
import { encodeBase64url } from "#protocol/base64url.ts";
import { decodeHex, utf8 } from "#protocol/bytes.ts";
import {
  AWS_NITRO_ROOT_G1,
  EMULATED_NITRO_EVIDENCE,
  ENCLAVE_EVIDENCE,
  TPM_EVIDENCE,
} from "#protocol/evidence/index.ts";
import { makeQuote, quoteEvidence, type TestQuote } from "#protocol/evidence/tpm.fixture.ts";
import { evidenceBinder } from "#protocol/evidence-binder.ts";
import { vectorsFolder } from "../support/vectors.ts";
import type { Case, EvidenceCase } from "./probe.ts";

const NOW = new Date("2026-11-28T12:00:00Z");
const now = NOW.getTime();
const nonce = new Uint8Array(32).fill(7);
const asked = { nonce: encodeBase64url(nonce), subject: "alice", now };

/** Faults that evidence itself shows, whatever the policy is and whoever enrols. */
function found<Name extends string, Fault>(
  faults: Record<Name, Fault>,
  said: Record<Name, { byPolicy?: true; atEnrolment?: true }>,
): Fault[] {
  return (Object.keys(faults) as Name[])
    .filter((name) => !said[name].byPolicy && !said[name].atEnrolment)
    .map((name) => faults[name]);
}

/** So many copies, each with one byte changed, from the first to the last. */
function damaged(good: Case & EvidenceCase, evidence: Uint8Array, count: number): Case[] {
  return Array.from({ length: count }, (_, n) => {
    const at = Math.floor((n * (evidence.length - 1)) / (count - 1));
    return { ...good, good: false, evidence: encodeBase64url(evidence.with(at, evidence[at]! ^ 1)) };
  });
}

export async function emulatorCases(): Promise<Case[]> {
  const [platform, other] = await Promise.all([makePlatform(NOW), makePlatform(NOW)]);
  const order = { nonce, client: "alice", measurement: "ab".repeat(48), now: NOW };
  const evidence = makeEvidence(platform, order);
  const root = (pem: string) => encodeBase64url(new Uint8Array(x509.PemConverter.decodeFirst(pem)));
  const roots = [root(platform.root)];
  const of = {
    type: ENCLAVE_EVIDENCE,
    roots,
    revoked: [revokedKeyOf(platform)],
    minVersion: PLATFORM_VERSION,
  };
  const good = { good: true, ...of, evidence: encodeBase64url(evidence), ...asked };
  return [
    good,
    { ...good, roots: [root(other.root), root(platform.root)] },
    { ...good, good: false, roots: [root(other.root)] },
    { ...good, good: false, nonce: encodeBase64url(new Uint8Array(32)) },
    { ...good, good: false, subject: "bob" },
    { ...good, good: false, now: now + 86_400_000 },
    ...found(EVIDENCE_FAULTS, EVIDENCE_FAULTS_SAID).map((fault) => {
      const wrong = makeEvidence(platform, order, fault);
      return { ...good, good: false, evidence: encodeBase64url(wrong) };
    }),
    ...damaged(good, evidence, 40),
  ];
}

export async function nitroCases(): Promise<Case[]> {
  const authority = await makeNitroAuthority(NOW);
  const userData = await evidenceBinder(nonce, "alice");
  const evidenceWith = async (fault: NitroFault = {}) => {
    const launch = { code: utf8("the code of the enclave"), clock: () => now };
    return (await launchNitroEnclave(authority, launch, fault)).attest({ nonce, userData });
  };
  const roots = [encodeBase64url(authority.root)];
  const caseOf = (evidence: Uint8Array, good: boolean) => {
    const type = EMULATED_NITRO_EVIDENCE;
    return { good, type, evidence: encodeBase64url(evidence), roots, ...asked };
  };
  const [evidence, forms, faults] = await Promise.all([
    evidenceWith(),
    Promise.all(Object.values(NITRO_FORMS).map(evidenceWith)),
    Promise.all(found(NITRO_FAULTS, NITRO_FAULTS_SAID).map(evidenceWith)),
  ]);
  return [
    caseOf(evidence, true),
    ...forms.map((each) => caseOf(each, true)),
    ...faults.map((each) => caseOf(each, false)),
    ...damaged(caseOf(evidence, true), evidence, 40),
  ];
}

export async function tpmCases(): Promise<Case[]> {
  const extraData = await evidenceBinder(nonce, "alice");
  const ec = (namedCurve: string) => generateKeyPairSync("ec", { namedCurve }).privateKey;
  const [p256, p384, rsa] = [
    ec("P-256"),
    ec("P-384"),
    generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey,
  ];
  const banks = [{ hash: "sha256", values: new Map([[7, new Uint8Array(32).fill(1)]]) }] as const;
  const ways: Pick<TestQuote, "key" | "scheme" | "hash" | "saltLength">[] = [
    { key: p256, scheme: "ECDSA", hash: "sha256" },
    { key: p384, scheme: "ECDSA", hash: "sha384" },
    { key: p384, scheme: "ECDSA", hash: "sha256" },
    { key: p256, scheme: "ECDSA", hash: "sha384" },
    { key: rsa, scheme: "RSASSA", hash: "sha384" },
    { key: rsa, scheme: "RSAPSS", hash: "sha256", saltLength: 32 },
    { key: rsa, scheme: "RSAPSS", hash: "sha256", saltLength: 222 },
  ];
  const keys = [p256, p384, rsa].map((key) => encodeBase64url(spki(key)));
  return ways.flatMap((way) => {
    const evidence = quoteEvidence(makeQuote({ ...way, extraData, banks }));
    const good = {
      good: true,
      type: TPM_EVIDENCE,
      evidence: encodeBase64url(evidence),
      roots: [],
      keys,
      ...asked,
    };
    return [good, { ...good, good: false, keys: [] }, ...damaged(good, evidence, 10)];
  });
}

/** Real documents and a real quote, where the vectors are there. */
export function realCases(): Case[] {
  const folder = vectorsFolder();
  const read = (...path: string[]) => readFileSync(join(folder, ...path));
  const encoded = (...path: string[]) => encodeBase64url(new Uint8Array(read(...path)));
  const cases: Case[] = [];
  if (existsSync(join(folder, "nitro"))) {
    const samples: { file: string; timestampMs: number; debugMode: boolean }[] = JSON.parse(
      read("nitro", "samples.json").toString(),
    );
    for (const { file, timestampMs, debugMode } of samples) {
      const document = encoded("nitro", file);
      const good = {
        good: true,
        document,
        roots: [encodeBase64url(AWS_NITRO_ROOT_G1)],
        now: timestampMs,
        debug: true,
      };
      cases.push(good, { ...good, good: !debugMode, debug: false }, { ...good, good: false, now });
    }
  }
  if (existsSync(join(folder, "tpm"))) {
    const good = {
      good: true,
      message: encoded("tpm", "quote.msg"),
      signature: encoded("tpm", "quote.sig"),
      registers: encoded("tpm", "quote.pcrs"),
      keys: [encodeBase64url(spki(read("tpm", "ak.pem").toString()))],
      extraData: encodeBase64url(decodeHex(read("tpm", "quote.nonce.hex").toString().trim())),
    };
    cases.push(good, { ...good, good: false, signature: encoded("tpm", "certify.sig") });
  }
  return cases;
}

function spki(key: KeyObject | string): Uint8Array {
  return new Uint8Array(createPublicKey(key).export({ format: "der", type: "spki" }));
}
