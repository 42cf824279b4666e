import { create, element } from "./dom.ts";

/** Makes the button with this id copy what `text` gives, and say whether that went well. */
export function wireCopy(id: string, text: () => string): void {
  const button = element(id, HTMLButtonElement);
  button.addEventListener("click", () => void copy(text(), button));
}

async function copy(text: string, button: HTMLButtonElement): Promise<void> {
  const label = button.textContent;
  const said = await navigator.clipboard.writeText(text).then(
    () => "Copied",
    () => "Not allowed",
  );
  const note = create("span", "visually-hidden", said);
  note.setAttribute("role", "status");
  button.textContent = said;
  button.disabled = true;
  button.after(note);
  setTimeout(() => {
    button.textContent = label;
    button.disabled = false;
    note.remove();
  }, 1500);
}
