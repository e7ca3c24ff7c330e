/**
 * Mutual authentication of custodian and microservice over their channel (M14): each signs the other's challenge and what
 * names the channel's two ends. Imported by web/client and web/microservice.
 */

import { utf8 } from "./bytes.ts";

/** Bytes of a challenge. */
export const CHALLENGE_BYTES = 32;

/** One channel, as both of its ends see it. Challenges and certificates in base64url. */
export type Channel = {
  /** Origin and Distinguished Name of the custodian: as the microservice's host has it from the browser, not as anyone says. */
  origin: string;
  custodian: string;
  /** Of the code that answers. */
  measurement: string;
  /** Id and wrapping certificate of the instance, to which keys will be wrapped. */
  instance: string;
  wrappingCertificate: string;
  /** Each made by the one that will verify by it. */
  challenges: { custodian: string; microservice: string };
  /** Of the custodian's key. */
  certificate: string;
};

/**
 * What one end signs: ECDSA P-256 with SHA-256, r || s. JSON of a list of texts, so that no two channels give the same
 * bytes; it begins with the end's own name, so that no end's signature is the other's.
 */
export function channelProofInput(
  by: "custodian" | "microservice",
  { challenges, ...of }: Channel,
): Uint8Array<ArrayBuffer> {
  const { origin, custodian, measurement, instance, wrappingCertificate, certificate } = of;
  const ends = [origin, custodian, certificate, instance, wrappingCertificate, measurement];
  return utf8(
    JSON.stringify([`coffer-channel-${by}-v1`, challenges.microservice, challenges.custodian, ...ends]),
  );
}
