// What pages do beyond links and forms. Everything works without it; this makes it quicker.
(() => {
  "use strict";
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];

  // A form is sent once: its button waits for the answer. Coming back to the page frees it.
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.dataset.sent) { event.preventDefault(); return; }
    if (form.method !== "post" || form.hasAttribute("hx-post")) return;
    form.dataset.sent = "yes";
    all("button", form).forEach((button) => button.setAttribute("aria-busy", "true"));
  });
  window.addEventListener("pageshow", () => {
    all("form[data-sent]").forEach((form) => {
      delete form.dataset.sent;
      all("button", form).forEach((button) => button.removeAttribute("aria-busy"));
    });
  });

  // Choosing in a select of this kind loads the page it names.
  document.addEventListener("change", (event) => {
    const select = event.target.closest("[data-submit-on-change]");
    if (select && select.form) select.form.requestSubmit();
  });

  // Check all, and say how many are chosen.
  const count = (table) => {
    const boxes = all("input[data-pick]", table);
    const chosen = boxes.filter((box) => box.checked);
    boxes.forEach((box) => box.closest("tr")?.setAttribute("aria-selected", box.checked));
    const form = table.closest("form") ?? document;
    all("[data-chosen]", form).forEach((place) => { place.textContent = String(chosen.length); });
    const head = table.querySelector("input[data-pick-all]");
    if (head) {
      head.checked = boxes.length > 0 && chosen.length === boxes.length;
      head.indeterminate = chosen.length > 0 && chosen.length < boxes.length;
    }
  };
  document.addEventListener("change", (event) => {
    const table = event.target.closest("table");
    if (!table) return;
    if (event.target.matches("[data-pick-all]")) {
      all("input[data-pick]", table).forEach((box) => { box.checked = event.target.checked; });
    }
    if (event.target.matches("[data-pick-all], [data-pick]")) count(table);
  });

  // Keys: Ctrl K opens the palette; / the search of the page; j, k and x go through a table of choices.
  const palette = () => document.getElementById("palette");
  const typing = (target) => target.closest("input, textarea, select, [contenteditable]");
  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
      const dialog = palette();
      if (dialog) { event.preventDefault(); dialog.showModal(); dialog.querySelector("input").select(); }
      return;
    }
    const picks = event.target.matches("input[data-pick]");
    if (event.ctrlKey || event.metaKey || event.altKey || (typing(event.target) && !picks)) return;
    if (event.key === "/") {
      const find = document.querySelector("[data-find]");
      if (find) { event.preventDefault(); find.focus(); find.select(); }
    }
    if ("jkx".includes(event.key)) {
      const boxes = all("input[data-pick]");
      if (!boxes.length) return;
      const at = boxes.findIndex((box) => box.closest("tr").classList.contains("at"));
      const next = event.key === "j" ? Math.min(at + 1, boxes.length - 1) : event.key === "k" ? Math.max(at - 1, 0) : at;
      if (event.key === "x" && at >= 0) { boxes[at].click(); return; }
      boxes.forEach((box, i) => box.closest("tr").classList.toggle("at", i === next));
      boxes[next]?.focus();
    }
  });
  // In a queue a approves the charge one is at (or previews the chosen ones); r, d and m wait for a note.
  let armed = null;
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !"ardm".includes(event.key)) return;
    const box = event.target.closest("input[data-pick]");
    if (typing(event.target) && !box) return;
    const act = document.querySelector(`[data-act="${event.key}"]`);
    if (!act) return;
    const chosen = all("input[data-pick]:checked");
    const row = document.querySelector("tr.at");
    const quick = row?.querySelector("[data-key='a']");
    if (event.key === "a" && !chosen.length && quick) { event.preventDefault(); quick.click(); return; }
    if (!chosen.length) row?.querySelector("input[data-pick]")?.click();
    if (!all("input[data-pick]:checked").length) return;
    event.preventDefault();
    if (event.key === "a") { act.click(); return; }
    armed = act;
    act.form.querySelector("[data-note]")?.focus();
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !armed || !event.target.matches("[data-note]")) return;
    event.preventDefault();
    armed.form.requestSubmit(armed);
  });
  document.addEventListener("keydown", (event) => {
    const dialog = event.target.closest("#palette");
    if (!dialog || !["ArrowDown", "ArrowUp"].includes(event.key)) return;
    const stops = [dialog.querySelector("input"), ...all(".found a", dialog)];
    const at = stops.indexOf(document.activeElement);
    const to = stops[at + (event.key === "ArrowDown" ? 1 : -1)];
    if (to) { event.preventDefault(); to.focus(); }
  });
  // Enter goes to the first that is found for what is typed now: it waits for the answer when letters were faster.
  let entered = false;
  const enter = () => {
    const dialog = palette();
    if (!entered || dialog.querySelector("[data-of]")?.dataset.of !== dialog.querySelector("input").value) return;
    entered = false;
    dialog.querySelector(".found a")?.click();
  };
  document.addEventListener("keydown", (event) => {
    if (!event.target.matches("#palette input")) return;
    entered = event.key === "Enter";
    if (entered) { event.preventDefault(); enter(); }
  });
  document.addEventListener("htmx:afterSwap", enter);
  document.addEventListener("click", (event) => {
    const opener = event.target.closest("[data-opens]");
    if (opener) {
      const dialog = document.getElementById(opener.dataset.opens);
      if (dialog) { event.preventDefault(); dialog.showModal(); }
    }
    const closer = event.target.closest("[data-closes]");
    if (closer) { event.preventDefault(); closer.closest("dialog").close(); }
    const copier = event.target.closest("[data-copies]");
    if (copier) navigator.clipboard?.writeText(document.getElementById(copier.dataset.copies).textContent);
    if (event.target.closest("[data-prints]")) window.print();
  });

  // An upload says how far it is; what it leads to is shown when all of it has arrived.
  const megabytes = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`;
  const send = (form, files) => {
    const place = form.querySelector("[data-progress]");
    const say = (words) => { place.hidden = false; place.querySelector("[role=status]").textContent = words; };
    const all_bytes = files.reduce((sum, file) => sum + file.size, 0);
    const free = () => { delete form.dataset.sent; all("button", form).forEach((button) => button.removeAttribute("aria-busy")); };
    const limit = Number(form.dataset.limit);
    if (limit && all_bytes > limit) { say(`These files are ${megabytes(all_bytes)}, and ${megabytes(limit)} may be sent at once.`); free(); return; }
    const request = new XMLHttpRequest();
    request.upload.addEventListener("progress", (event) => {
      place.querySelector("progress").value = event.total ? (100 * event.loaded) / event.total : 0;
      say(`${megabytes(event.loaded)} of ${megabytes(event.total)} sent`);
    });
    request.addEventListener("error", () => { say("The connection broke off. Nothing was imported; send the files again."); free(); });
    request.addEventListener("load", () => {
      if (request.status < 400) { window.location = request.responseURL; return; }
      const answer = new DOMParser().parseFromString(request.responseText, "text/html").querySelector("#refusal");
      say(answer ? answer.textContent : "The files were not taken.");
      free();
    });
    request.open("POST", form.action);
    request.send(new FormData(form));
  };
  document.addEventListener("submit", (event) => {
    const input = event.target.matches("[data-upload]") && event.target.querySelector("input[type=file]");
    if (!input || event.defaultPrevented) return;
    event.preventDefault();
    send(event.target, [...input.files]);
  });

  // Files are dropped onto the place for files.
  const over = (event, on) => {
    const place = event.target.closest?.(".drop");
    if (!place) return null;
    event.preventDefault();
    place.classList.toggle("over", on);
    return place;
  };
  document.addEventListener("dragover", (event) => over(event, true));
  document.addEventListener("dragleave", (event) => over(event, false));
  document.addEventListener("drop", (event) => {
    const place = over(event, false);
    const input = place?.querySelector("input[type=file]");
    if (!input || !event.dataTransfer.files.length) return;
    input.files = event.dataTransfer.files;
    input.dispatchEvent(new Event("change", { bubbles: true }));
  });
  // Names of files are text, whatever they hold.
  document.addEventListener("change", (event) => {
    if (!event.target.matches(".drop input[type=file]")) return;
    const list = event.target.closest(".drop").querySelector("[data-files]");
    if (!list) return;
    list.replaceChildren(...[...event.target.files].map((file) => {
      const item = document.createElement("li");
      item.textContent = `${file.name} (${megabytes(file.size)})`;
      return item;
    }));
  });
})();
