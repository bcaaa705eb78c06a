// Parts of the pages are loaded when they are needed. Once the console was updated, those that a tab asks for are not there any more: the page has
// to be loaded anew, which it does by itself where nothing is lost by it, and once.

const DONE = "vedette.reloaded";

const unsaved = new Set<object>();

/** Says that something would be lost by loading the page anew, until what is returned is called. */
export function holdUnsaved(): () => void {
  const mine = {};
  unsaved.add(mine);
  return () => { unsaved.delete(mine); };
}

/** Whether an error is that a part could not be loaded, as each of the browsers, and Vite, says it. */
export function isMissingPart(error: Error): boolean {
  return /dynamically imported module|importing a module script failed|unable to preload/i.test(error.message);
}

/** Loads the page anew, unless something would be lost, or this very program was loaded anew already and it was no use. */
export function reloadOnce(): void {
  const program = document.querySelector<HTMLScriptElement>("script[type=module][src]")?.src ?? "";
  if (unsaved.size > 0 || sessionStorage.getItem(DONE) === program) return;
  sessionStorage.setItem(DONE, program);
  location.reload();
}
