/** The door of one request, behind which all that is asked of neighbours and of the HSM is told as its steps. */

import type { Hsm } from "../hsm/index.ts";
import type { Result } from "../result.ts";
import { type Steps, telling } from "../steps.ts";
import type { Context, Door } from "./context.ts";

/** What of a context works with the HSM, made for a client that is watched. */
export type AtHsm = (kms: Context, hsm: Hsm) => Pick<Context, "backEnd" | "trust">;

/** Answers by way of such a door, with the steps that were taken. */
export function behind<T>(
  door: Door,
  atHsm: AtHsm,
  work: (door: Door) => Promise<Result<T>>,
): Promise<Result<T>> {
  return telling("kms", (steps) => work(watchedDoor(door, atHsm, steps)));
}

function watchedDoor(door: Door, atHsm: AtHsm, steps: Steps): Door {
  const { IAM, RA } = door.neighbours;
  const neighbours = { IAM: steps.watched("iam", IAM), RA: steps.watched("ra", RA) };
  return {
    neighbours,
    refuse: (about, refusal) => door.refuse(about, refusal),
    async enter() {
      const kms = await door.enter();
      const hsm = kms.hsm.watched(steps.ofHsm);
      return { ...kms, ...atHsm(kms, hsm), hsm, neighbours };
    },
  };
}
