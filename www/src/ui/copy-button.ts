import { create, element } from "./dom.ts";

/** Makes the button with this id copy what `text` gives, and say whether that went well. */
export function wireCopy(id: string, text: () => string): void {
  const button = element(id, HTMLButtonElement);
  button.addEventListener("click", () => void copyText(text(), button));
}

/** Copies `text`, and makes `button` say whether that went well. */
export async function copyText(text: string, button: HTMLButtonElement): Promise<void> {
  const label = button.textContent;
  const said = await navigator.clipboard.writeText(text).then(
    () => "Copied",
    () => "Not allowed",
  );
  const note = create("span", "visually-hidden", said);
  note.setAttribute("role", "status");
  const hadFocus = document.activeElement === button;
  button.textContent = said;
  button.disabled = true;
  button.after(note);
  setTimeout(() => {
    button.textContent = label;
    button.disabled = false;
    // A button that is disabled loses the keyboard's place.
    if (hadFocus && document.activeElement === document.body) {
      button.focus({ preventScroll: true });
    }
    note.remove();
  }, 1500);
}
