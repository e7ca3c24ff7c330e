// A form of the app's own: its files are sealed here, and the app's server gets their ids.
import { connect } from "@coffer/kit";
import { sealFormData } from "@coffer/kit/vault";

const signIn = document.querySelector("button");
const form = document.querySelector("form");
const output = document.querySelector("output");
const { vault } = document.body.dataset;
if (!signIn || !form || !output || !vault) throw new Error("not this page");

const coffer = await connect({ vault });
signIn.hidden = coffer.identity !== undefined;
form.hidden = !signIn.hidden;
signIn.addEventListener("click", () => coffer.signIn());

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  try {
    const { data, documents } = await sealFormData(coffer, new FormData(form));
    await fetch(form.action, { method: "POST", body: data });
    output.textContent = `Sent, with ${documents.length} sealed.`;
  } catch (error) {
    output.textContent = error instanceof Error ? error.message : "Not sent.";
  }
});
