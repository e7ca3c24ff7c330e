/** Registration of the app's Service Worker. */

/** Where the Service Worker is served; its scope is the whole origin. What it answers, web/hosts/service-worker says. */
const SCRIPT = "/service-worker.js";

type TrustedTypes = {
  createPolicy(
    name: string,
    rules: { createScriptURL(url: string): string },
  ): { createScriptURL(url: string): string };
};

/** Registers the Service Worker if it isn't yet, and resolves with the one that answers this page's requests. */
export async function registered(): Promise<ServiceWorker | null> {
  const container = navigator.serviceWorker;
  container.startMessages();
  const known = await container.getRegistration("/");
  const workers = [known?.installing, known?.waiting, known?.active];
  // Where the page's own script has registered it, another copy of this code in the page makes no policy of that name any more.
  if (!workers.some((one) => one?.scriptURL === new URL(SCRIPT, location.origin).href))
    await container.register(trusted(SCRIPT));
  const { active } = await container.ready;
  if (!container.controller)
    await new Promise((resolve) => container.addEventListener("controllerchange", resolve, { once: true }));
  return active;
}

let policy: ReturnType<TrustedTypes["createPolicy"]> | undefined;

function trusted(url: string): string {
  const { trustedTypes } = globalThis as { trustedTypes?: TrustedTypes };
  // A page makes a policy of a name once.
  policy ??= trustedTypes?.createPolicy("service-worker", {
    createScriptURL(asked) {
      if (asked !== SCRIPT) throw new TypeError("not the Service Worker");
      return asked;
    },
  });
  return policy ? policy.createScriptURL(url) : url;
}
