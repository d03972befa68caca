// The four requests of the first page: what is asked stands in data/requests.json, and what the
// server answers is shown as it came.

import { shiftedPrefix } from "./token.js";

function element(name, properties, ...children) {
    const made = Object.assign(document.createElement(name), properties);
    made.append(...children);
    return made;
}

/** What of an answer is worth a line. The browser follows a redirect before a script hears of it. */
function describe(response) {
    const header = (name) => response.headers.get(name);
    if (response.redirected) {
        const target = new URL(response.url);
        return ["moved", "301", `to ${target.pathname}${target.search}, and there ${response.status}`];
    }
    if (response.ok) {
        return ["served", String(response.status), `Cache-Control: ${header("cache-control")}`];
    }
    const retry = header("retry-after");
    return ["refused", String(response.status),
            retry ? `Retry-After: ${retry}` : `Cache-Control: ${header("cache-control")}`];
}

async function send(card) {
    try {
        const response = await fetch(card.url, { cache: "no-store" });
        const [kind, status, line] = describe(response);
        card.answer.className = `answer ${kind}`;
        card.answer.replaceChildren(element("strong", { textContent: status }), line);
    } catch (error) {
        card.answer.className = "answer refused";
        card.answer.textContent = `no answer (${error.message})`;
    }
}

function makeCard(request) {
    const prefix = shiftedPrefix(request.shift_ms);
    if (prefix === null) {
        return null;
    }
    const url = prefix + request.path;
    const answer = element("p", { className: "answer", textContent: "not asked yet" });
    const node = element("li", {},
                         element("h3", { textContent: request.title }),
                         element("a", { href: url }, element("code", { textContent: url })),
                         element("p", { textContent: request.why }), answer);
    return { url, answer, node };
}

/** Puts the requests into `place`, with a button that sends them. */
export async function showRequests(place) {
    const response = await fetch(new URL("../data/requests.json", import.meta.url));
    if (!response.ok) {
        throw new Error(`requests.json: ${response.status}`);
    }
    const cards = (await response.json()).map(makeCard).filter((card) => card !== null);
    const list = element("ul", { className: "cards", ariaLive: "polite" },
                         ...cards.map((card) => card.node));
    const button = element("button", { type: "button", textContent: "Send them" });
    button.addEventListener("click", async () => {
        button.disabled = true;
        await Promise.all(cards.map(send));
        button.textContent = "Send them again";
        button.disabled = false;
    });
    place.replaceChildren(button, list);
}
