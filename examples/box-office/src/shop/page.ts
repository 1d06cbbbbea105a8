// The shop's pages: the one with a button, and a place in the line when there is one; and the one backstage, for which
// people wait themselves.

/** Speaks Usher's protocol as any client may: a 202 with a Location is asked after until it redirects to the answer. */
export const page = framed(
  "Box office",
  `<main>
  <h1 id="show">Box office</h1>
  <p id="left"></p>
  <button id="buy">Buy a seat</button>
  <output id="said"></output>
  <p><a href="/backstage">Go backstage</a>, where there is room for one at a time.</p>
</main>
<script type="module">
  const say = (text) => { document.getElementById("said").textContent = text; };
  const pause = (seconds) => new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  async function look() {
    const show = await (await fetch("/api/show")).json();
    document.getElementById("show").textContent = show.show;
    document.getElementById("left").textContent =
      show.seats.left + " of " + show.seats.total + " seats are left.";
  }
  async function buy() {
    const button = document.getElementById("buy");
    button.disabled = true;
    try {
      const bytes = crypto.getRandomValues(new Uint8Array(16));
      const key = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
      let answer = await fetch("/api/purchases", {
        method: "POST",
        headers: { "content-type": "application/json", "idempotency-key": key },
        body: JSON.stringify({ buyer: "somebody at the page", seats: 1 }),
      });
      let place = answer.status === 202 ? answer.headers.get("location") : null;
      while (place !== null) {
        const status = await answer.json();
        const ticket = status.ticket ?? {};
        say("Ticket " + ticket.number + ": place " + (ticket.position ?? 0) + " in the line.");
        await pause(Number(answer.headers.get("retry-after")) || 1);
        answer = await fetch(place);
        if (answer.redirected || answer.status !== 200) place = null;
      }
      const said = await answer.json();
      say(answer.ok ? "Seat " + said.seats.join(", ") + " is yours." : said.error ?? said.detail ?? said.title);
      await look();
    } catch (error) {
      say("That did not work: " + error.message);
    } finally {
      button.disabled = false;
    }
  }
  document.getElementById("buy").addEventListener("click", buy);
  look();
</script>
`,
);

/** What somebody sees who is let in. `ticket`: null where they came around Usher. */
export function backstagePage(show: string, ticket: number | null): string {
  const how = ticket === null ? "You came without a ticket" : `You are in, with ticket ${ticket}`;
  return framed(
    "Backstage",
    `<main>
  <h1>${show}: backstage</h1>
  <p>${how}. Who comes now, in another browser or a private window, has to wait if there is no more room.</p>
</main>
`,
  );
}

function framed(title: string, body: string): string {
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${title}</title>
<link rel="icon" href="data:,">
<style>
  :root { color-scheme: light dark; font: 18px/1.5 system-ui, sans-serif; }
  main { max-width: 34rem; margin: 12vh auto; padding: 0 1.5rem; }
  button { font: inherit; padding: .5rem 1.5rem; }
  output { display: block; margin-top: 1.5rem; min-height: 3rem; }
</style>
${body}`;
}
