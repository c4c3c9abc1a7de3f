"use strict";
// Plays, compares and keeps the page fresh; without it the page still shows everything, and links still lead to files.

const stage = document.getElementById("stage");
const views = stage.querySelector(".views");

const tiles = () => [...document.querySelectorAll(".tile")];
const players = () => [...views.querySelectorAll("video, audio")];

function view(tile) {
  const link = tile.querySelector(".show");
  const figure = document.createElement("figure");
  const element = document.createElement({ video: "video", audio: "audio" }[link.dataset.kind] || "img");
  element.src = link.href;
  if (element.tagName === "IMG") element.alt = tile.querySelector("h3").textContent;
  else Object.assign(element, { controls: true, loop: true, muted: true, playsInline: true, preload: "auto" });
  const caption = document.createElement("figcaption");
  caption.textContent = tile.querySelector("h3").textContent;
  figure.append(element, caption);
  if (link.dataset.sheet) {
    const sheet = document.createElement("img");
    Object.assign(sheet, { className: "sheet", src: link.dataset.sheet, alt: "Frames of the clip" });
    figure.append(sheet);
  }
  return figure;
}

// Two players in step: what one does, the other does, without answering back.
function inStep(both) {
  for (const one of both) {
    for (const event of ["play", "pause", "seeked"]) {
      one.addEventListener(event, () => {
        for (const other of both.filter((each) => each !== one)) {
          if (Math.abs(other.currentTime - one.currentTime) > 0.15) other.currentTime = one.currentTime;
          if (other.paused !== one.paused) one.paused ? other.pause() : other.play();
        }
      });
    }
  }
}

function show(chosen) {
  views.replaceChildren(...chosen.map(view));
  stage.showModal();
  inStep(players());
  players().forEach((one) => one.play().catch(() => {}));
}

function picked() {
  return tiles().filter((tile) => tile.querySelector(".pick:checked"));
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("a");
  if (event.target.id === "compare") show(picked().slice(0, 2));
  if (!link || event.ctrlKey || event.metaKey) return;
  if (link.classList.contains("show")) {
    event.preventDefault();
    show([link.closest(".tile")]);
  } else if ("top" in link.dataset && window.parent !== window) {
    // Airflow's frame lets no link out of it; the page around it may open one.
    event.preventDefault();
    const outside = window.parent.document.createElement("a");
    Object.assign(outside, { href: link.href, target: "_blank", rel: "noopener noreferrer" });
    outside.click();
  }
});

document.addEventListener("change", () => {
  document.getElementById("compare").disabled = picked().length !== 2;
});

document.addEventListener("focusin", (event) => {
  if (event.target.classList.contains("copy")) event.target.select();
});

stage.addEventListener("close", () => views.replaceChildren());

document.addEventListener("keydown", (event) => {
  if (stage.open) {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (event.key === " ") players().slice(0, 1).forEach((one) => (one.paused ? one.play() : one.pause()));
    else if (step) players().forEach((one) => (one.currentTime += step));
    else return;
    event.preventDefault();
    return;
  }
  const tile = event.target.closest(".tile");
  if (!tile || event.target !== tile) return;
  const all = tiles();
  const row = all.filter((one) => one.offsetTop === all[0].offsetTop).length;
  const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -row, ArrowDown: row }[event.key];
  if (step) all[all.indexOf(tile) + step]?.focus();
  else if (event.key === "Enter") tile.querySelector(".show")?.click();
  else if (event.key === "c") tile.querySelector(".pick")?.click();
  else return;
  event.preventDefault();
});

// While something is under way the page is asked for again, unless somebody watches, chooses or reads with the keyboard.
async function refresh() {
  const seconds = Number(document.body.dataset.refresh);
  if (!seconds) return;
  await new Promise((done) => setTimeout(done, seconds * 1000));
  if (!document.hidden && !stage.open && !picked().length && !document.activeElement.closest(".tile")) {
    const answer = await fetch(location.href).catch(() => null);
    if (answer?.ok) {
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      if (fresh.querySelector("main").innerHTML !== document.querySelector("main").innerHTML) {
        document.querySelector("main").replaceWith(document.adoptNode(fresh.querySelector("main")));
      }
      document.body.dataset.refresh = fresh.body.dataset.refresh;
    }
  }
  refresh();
}
refresh();
