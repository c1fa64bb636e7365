// Building and updating DOM. Data gets in as text only; nothing here parses markup.

/** Build an element; `on…` props are listeners, `dataset` is merged, null and false are left out. */
export function h(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [key, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    if (key === "class") node.className = value;
    else if (key === "dataset") Object.assign(node.dataset, value);
    else if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else node.setAttribute(key, value === true ? "" : String(value));
  }
  append(node, children);
  return node;
}

function append(node, children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    node.append(child instanceof Node ? child : String(child));
  }
}

/** The element with that id. */
export const $ = (id) => document.getElementById(id);

/** Replace what is in a node. */
export function fill(node, ...children) {
  node.replaceChildren();
  append(node, children);
}

/** A text with its `quoted` parts as code. */
export const prose = (text) =>
  text.split("`").map((part, i) => (i % 2 ? h("code", {}, part) : part));

/** Set a text only if it differs: a live region would speak again. */
export function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/**
 * Make the keyed children of `container` one node an item, keeping every node whose item is
 * unchanged, so that focus, selection and scrolling outlive a poll. Others must come before them.
 */
export function sync(container, items, { key, sign, build }) {
  const wanted = new Set(items.map((item) => String(key(item))));
  const held = new Map();
  for (const node of [...container.children]) {
    if (node.dataset.key === undefined) continue;
    if (wanted.has(node.dataset.key)) held.set(node.dataset.key, node);
    else node.remove();
  }
  let place = held.values().next().value ?? null;
  for (const item of items) {
    const id = String(key(item));
    const signature = sign(item);
    let node = held.get(id);
    const inPlace = node !== undefined && node === place;
    if (inPlace) place = place.nextElementSibling;
    if (node?.dataset.sign !== signature) {
      const old = node;
      node = build(item);
      node.dataset.key = id;
      node.dataset.sign = signature;
      if (old) replace(old, node);
    }
    if (!inPlace) container.insertBefore(node, place);
  }
}

/** Put one node where another was, the focus on the same control of it. */
function replace(old, node) {
  const focused = old.contains(document.activeElement) ? document.activeElement.dataset.testid : "";
  old.replaceWith(node);
  if (focused) node.querySelector(`[data-testid="${CSS.escape(focused)}"]`)?.focus();
}

/** Copy a text; where the browser has no clipboard for this address, the old way. */
export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const back = document.activeElement;
    const area = h("textarea", { class: "offscreen", "aria-hidden": "true" });
    area.value = text;
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    back?.focus();
    return done;
  }
}
