import { html, nothing, render } from "lit-html";

/** Asks the user before something that cannot be undone. Resolves to false if the dialog is closed in any other way. */
export async function confirmed(question: string, consequence: string, yes: string): Promise<boolean> {
  const dialog = document.createElement("dialog");
  const close = (answer: string) => () => dialog.close(answer);
  render(
    html`<article>
      <h2 id="question">${question}</h2>
      <p>${consequence}</p>
      <footer class="actions">
        <button type="button" class="secondary" autofocus @click=${close("")}>Leave it</button>
        <button type="button" @click=${close("yes")}>${yes}</button>
      </footer>
    </article>`,
    dialog,
  );
  dialog.setAttribute("aria-labelledby", "question");
  const asker = document.activeElement;
  document.body.append(dialog);
  dialog.showModal();
  await new Promise((resolve) => dialog.addEventListener("close", resolve, { once: true }));
  render(nothing, dialog);
  dialog.remove();
  if (asker instanceof HTMLElement) asker.focus();
  return dialog.returnValue === "yes";
}
