import { CofferError } from "#protocol/error.ts";
import { delay, patiently } from "#protocol/patience.ts";
import { errorFrom } from "#web/client/problem.ts";

/**
 * Posts the form of the vault's sign-in page, of a development edge: the answer has the cookie, and leads back to the app
 * with a code. Errors: `CofferError`.
 */
export async function signInByName(
  fetch: typeof globalThis.fetch,
  authorization: string,
  name: string,
  onWait?: (milliseconds: number) => void,
): Promise<{ cookie: string; location: URL }> {
  const { origin, search } = new URL(authorization);
  const send = () =>
    fetch(new URL("/sign-in", origin), {
      method: "POST",
      headers: { origin, "content-type": "application/x-www-form-urlencoded" },
      body: new URLSearchParams({ name, continue: search.slice(1) }).toString(),
      redirect: "manual",
    });
  const response = await patiently(send, { repeatable: true, delay, onWait }).catch((cause: unknown) => {
    throw new CofferError("offline", { cause });
  });
  if (response.status === 429 || response.status === 503) throw await errorFrom(response);
  await response.body?.cancel();
  const cookie = response.headers.get("set-cookie")?.split(";")[0];
  const location = response.headers.get("location");
  if (response.status !== 303 || !cookie || location === null || !URL.canParse(location))
    throw new CofferError("sign-in-refused");
  return { cookie, location: new URL(location) };
}
