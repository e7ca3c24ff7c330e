import { fail, type Result } from "../result.ts";
import { HsmUnavailable } from "./client.ts";

/**
 * Runs what needs the HSM and turns its failures into results: `hsm-unavailable` when it cannot be reached,
 * `hsm-refused` for everything else that throws. The log gets kinds and reasons as KMIP names them, never key material.
 */
export async function fromHsm<T>(requestId: string, run: () => Promise<Result<T>>): Promise<Result<T>> {
  try {
    return await run();
  } catch (error) {
    const code = error instanceof HsmUnavailable ? "hsm-unavailable" : "hsm-refused";
    const { name, message } = error instanceof Error ? error : { name: "unknown", message: "" };
    console.error(JSON.stringify({ event: code, requestId, error: name, message: message.slice(0, 200) }));
    return fail(code);
  }
}
