/** The microservice's code: fetched, hashed, and run from the very bytes that were hashed. */

export type MicroserviceFile = { url: string; integrity: string };

/**
 * Fetches the bundle and measures it. The browser checks the integrity too, but what is run must be the bytes that were
 * measured: they are handed on as they are. Throws when they are not the ones that the loader was built for.
 */
export async function measuredBundle(
  file: MicroserviceFile,
  fetch: (url: string, init: RequestInit) => Promise<Response>,
  digest: (algorithm: string, data: BufferSource) => Promise<ArrayBuffer>,
): Promise<{ bytes: ArrayBuffer; measurement: string }> {
  const response = await fetch(file.url, {
    integrity: file.integrity,
    credentials: "omit",
    redirect: "error",
  });
  if (!response.ok) throw new Error("the microservice's code is not there");
  const bytes = await response.arrayBuffer();
  const hash = new Uint8Array(await digest("SHA-384", bytes));
  const measurement = `sha384-${btoa(String.fromCharCode(...hash))}`;
  if (measurement !== file.integrity)
    throw new Error("the microservice's code is not what this vault was built for");
  return { bytes, measurement };
}
