import { CofferError } from "#protocol/error.ts";
import { delay, patiently } from "#protocol/patience.ts";
import { errorFrom } from "#web/client/problem.ts";

type Ask = { url: string; cookie?: string; form?: Record<string, string>; origin?: string };

/**
 * Signs in at a development edge, as a browser would: to the development provider, which asks for a name, and back to the vault,
 * which asks whether to go on. The answer has the vault's cookie, and leads back to the app with a code. Errors: `CofferError`.
 */
export async function signIn(
  fetch: typeof globalThis.fetch,
  authorization: string,
  name: string,
  onWait?: (milliseconds: number) => void,
): Promise<{ cookie: string; location: URL }> {
  const { origin, search } = new URL(authorization);
  const ask = async ({ url, cookie, form, origin }: Ask): Promise<Response> => {
    const send = () =>
      fetch(url, {
        method: form === undefined ? "GET" : "POST",
        headers: {
          ...(cookie !== undefined && { cookie }),
          ...(origin !== undefined && { origin }),
          ...(form !== undefined && { "content-type": "application/x-www-form-urlencoded" }),
        },
        ...(form !== undefined && { body: new URLSearchParams(form).toString() }),
        redirect: "manual",
      });
    const response = await patiently(send, { repeatable: true, delay, onWait }).catch((cause: unknown) => {
      throw new CofferError("offline", { cause });
    });
    if (response.status === 429 || response.status === 503) throw await errorFrom(response);
    await response.body?.cancel();
    return response;
  };

  const left = await ask({ url: authorization });
  const provider = locationOf(left);
  // A vault that knows no other way leads to no provider.
  if (provider.origin === origin) throw new CofferError("sign-in-refused");
  const typed = await ask({
    url: new URL("/authorize", provider).href,
    form: { request: provider.search.slice(1), name },
  });
  const back = await ask({ url: locationOf(typed).href, cookie: cookieOf(left) });
  const entered = await ask({
    url: new URL("/sign-in", origin).href,
    cookie: cookieOf(back),
    origin,
    form: { continue: search.slice(1) },
  });
  return { cookie: cookieOf(entered), location: locationOf(entered) };
}

function locationOf({ headers }: Response): URL {
  const location = headers.get("location");
  if (location === null || !URL.canParse(location)) throw new CofferError("sign-in-refused");
  return new URL(location);
}

/** The first that is set. */
function cookieOf({ headers }: Response): string {
  const [cookie = ""] = headers.getSetCookie()[0]?.split(";") ?? [];
  if (cookie === "" || cookie.endsWith("=")) throw new CofferError("sign-in-refused");
  return cookie;
}
