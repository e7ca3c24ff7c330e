import { KmipError } from "#protocol/kmip/index.ts";
import type { Handler } from "./handler.ts";

/** Poll (KMIP 2.1 §6.1.38): only whether there is something to wait for; the engine answers in the place of this one. */
export const poll: Handler<"Poll"> = ({ asynchronousCorrelationValue }, { pending, subject }) => {
  if (!pending.has(asynchronousCorrelationValue, subject.identity))
    throw new KmipError("InvalidAsynchronousCorrelationValue", "Nothing is waiting under that value");
  return {};
};

/** Process (KMIP 2.1 §6.1.40): does now what is pending; Poll has its answer. */
export const process: Handler<"Process"> = async ({ asynchronousCorrelationValue }, { pending, subject }) => {
  await pending.process(asynchronousCorrelationValue, subject.identity);
  return { asynchronousCorrelationValue };
};

/** Cancel (KMIP 2.1 §6.1.5). */
export const cancel: Handler<"Cancel"> = ({ asynchronousCorrelationValue }, { pending, subject }) => ({
  asynchronousCorrelationValue,
  cancellationResult: pending.cancel(asynchronousCorrelationValue, subject.identity),
});
