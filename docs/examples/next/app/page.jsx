import { connection } from "next/server";
import { Vault } from "./vault.jsx";

export default async function Page() {
  // Each answer has a nonce of its own, so that none is made ahead.
  await connection();
  return <Vault />;
}
