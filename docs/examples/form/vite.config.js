// `coffer start --app http://localhost:5173` beside it. VITE_VAULT: origin of the vault, EDGE: where the edge listens.
const { VITE_VAULT = "http://localhost:8788", EDGE = "http://localhost:8787" } = process.env;
// What is the edge's goes on to it, with the Host header as it came.
const edge =
  "^/(\\.well-known|account-states|accounts|admin|audit|caas|clients|iam|kms|openapi\\.json|ra|standing|token)(/|\\?|$)";
const policy = `default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self' ${VITE_VAULT}/sign-out; frame-src ${VITE_VAULT}; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'`;
const served = { port: 5173, strictPort: true, proxy: { [edge]: { target: EDGE, changeOrigin: false } } };

export default {
  define: { "import.meta.env.VITE_VAULT": JSON.stringify(VITE_VAULT) },
  // The page awaits what it connects to, and the kit is written for browsers of these years.
  build: { target: "es2024" },
  server: served,
  preview: { ...served, headers: { "content-security-policy": policy } },
};
