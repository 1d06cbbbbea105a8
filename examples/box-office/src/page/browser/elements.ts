// The page's elements, which are all there from the beginning.

/** The element that a selector finds; throws where the page has none. */
export function find<E extends Element = HTMLElement>(selector: string, within: ParentNode = document): E {
  const found = within.querySelector<E>(selector);
  if (found === null) throw new Error(`the page has no ${selector}`);
  return found;
}

/** Sets a text; an element without one is hidden. Does not touch what is as it should be, so that nobody is read the same
 * text twice. */
export function show(element: HTMLElement, text: string): void {
  if (element.textContent !== text) element.textContent = text;
  if (element.hidden !== (text === "")) element.hidden = text === "";
}
