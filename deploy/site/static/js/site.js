// Brings the pages to life. `data-module` on the root element tells how far it got: "loading",
// "ready" or "failed".

import { mintedAt, prefix, token } from "./token.js";
import { showRequests } from "./requests.js";

const root = document.documentElement;

function showFacts() {
    const facts = {
        token,
        minted: mintedAt()?.toISOString() ?? "chosen by the operator",
        module: import.meta.url,
    };
    for (const place of document.querySelectorAll("[data-fact]")) {
        place.textContent = facts[place.dataset.fact];
    }
}

/** Lists what the browser loaded for this page, in its own words. */
function showLoaded(place) {
    const items = performance.getEntriesByType("resource").map((entry) => {
        const path = new URL(entry.name).pathname;
        const code = document.createElement("code");
        code.textContent = path.startsWith(prefix) ? `… /${path.slice(prefix.length)}` : path;
        const item = document.createElement("li");
        item.append(code, path.startsWith(prefix) ? ` under ${token}` : " without a token");
        return item;
    });
    place.querySelector("ol").replaceChildren(...items);
    place.hidden = false;
}

async function begin() {
    root.dataset.module = "loading";
    root.dataset.token = token;
    showFacts();
    const requests = document.getElementById("requests");
    if (requests) {
        await showRequests(requests);
    }
    const loaded = document.getElementById("loaded");
    if (loaded) {
        if (document.readyState !== "complete") {
            await new Promise((resolve) => addEventListener("load", resolve, { once: true }));
        }
        showLoaded(loaded);
    }
    root.dataset.module = "ready";
}

begin().catch((error) => {
    root.dataset.module = "failed";
    console.error(error);
});
