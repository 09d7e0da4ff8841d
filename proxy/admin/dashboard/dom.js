// Elements are made here. Text becomes text nodes, never markup: hosts, URLs and names are told by
// strangers.

export const $ = (id) => document.getElementById(id);

// el("td", "number", "12"), el("p", "", [node, "text"])
export function el(tag, className = "", content = []) {
  const node = document.createElement(tag);
  if (className) {
    node.className = className;
  }
  node.append(...(Array.isArray(content) ? content : [content]));
  return node;
}

// Text in which names of settings and commands stand between backticks.
export function prose(text) {
  return String(text).split("`").map((part, i) => (i % 2 ? el("code", "", part) : part));
}

// Only what differs is touched: a selection, or the focus, stays where it is.
export function setText(node, text) {
  if (node.textContent !== text) {
    node.textContent = text;
  }
}

export function show(node, visible) {
  if (node.hidden === visible) {
    node.hidden = !visible;
  }
}

// A table's body, a row for each item. columns: [{name, className, value: item => text or node,
// share: item => 0..1}]. Cells with the same text stay. A rowShare is of the whole row; a label is what
// stands at the cell where there is no head. What `finds` a field is a button: its value is looked for in
// the list of requests (recent.js); a note stands beneath it.
export function fillRows(body, items, columns, key = null) {
  while (body.rows.length > items.length) {
    body.deleteRow(-1);
  }
  items.forEach((item, i) => {
    const row = body.rows[i] ?? body.insertRow();
    columns.forEach((column, k) => fillCell(row.cells[k] ?? row.insertCell(), column, item));
    row.dataset.key = key ? key(item) : "";
  });
}

function setShare(node, share) {
  node.style.setProperty("--share", String(Math.min(1, Math.max(0, share))));
}

// A button that stays in its cell, and so keeps the focus, whatever row comes to stand there.
function fillFinder(cell, column, value, note) {
  const button = cell.querySelector("button") ?? el("button", "finder");
  if (!button.parentElement) {
    button.type = "button";
    cell.append(button, el("span", "remedy"));
  }
  button.dataset.filter = `${column.finds}:${value}`;
  button.title = `Recent requests: ${button.dataset.filter}`;
  setText(button, value);
  setText(cell.lastChild, note);
}

function fillCell(cell, column, item) {
  const value = column.value(item);
  if (cell.className !== (column.className ?? "")) {
    cell.className = column.className ?? "";
  }
  if (column.finds) {
    fillFinder(cell, column, String(value), column.note ? column.note(item) : "");
  } else if (value instanceof Node) {
    cell.replaceChildren(value);
  } else {
    setText(cell, String(value));
    cell.title = column.title ? column.title(item) : cell.classList.contains("name") ? String(value) : "";
  }
  if (column.label && cell.dataset.label !== column.label) {
    cell.dataset.label = column.label;
  }
  if (column.share) {
    setShare(cell, column.share(item));
  }
  if (column.rowShare) {
    setShare(cell.parentElement, column.rowShare(item));
  }
}

// The heads of the columns, once.
export function fillHead(table, columns) {
  const row = table.createTHead().insertRow();
  for (const column of columns) {
    const cell = el("th", column.className ?? "", column.name);
    cell.scope = "col";
    row.append(cell);
  }
}
