// The policy of docs/apps.md, with a nonce for the scripts that Next writes into its pages: it takes the nonce from the request's header.
import { NextResponse } from "next/server";

const { VAULT = "http://localhost:8788", NODE_ENV } = process.env;

export function proxy(request) {
  // What Next adds in development would not run under it.
  if (NODE_ENV !== "production") return NextResponse.next();
  const nonce = btoa(crypto.randomUUID());
  const policy = `default-src 'none'; script-src 'self' 'nonce-${nonce}'; style-src 'self'; img-src 'self'; connect-src 'self' ${VAULT}/sign-out; frame-src ${VAULT}; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types nextjs nextjs#bundler`;
  const headers = new Headers(request.headers);
  headers.set("content-security-policy", policy);
  const response = NextResponse.next({ request: { headers } });
  response.headers.set("content-security-policy", policy);
  return response;
}
