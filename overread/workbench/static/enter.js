// Trades the token in the address for a cookie. What stands behind "#" never leaves the browser by itself.
"use strict";

(async () => {
  const token = location.hash.slice(1);
  if (!token) return;
  const said = document.getElementById("said");
  try {
    const answer = await fetch("/enter", { method: "POST", body: JSON.stringify(token) });
    if (answer.ok) location.replace("/");
    else said.textContent = "This link is of another session. Open the one that the terminal shows now.";
  } catch {
    said.textContent = "overread no longer runs. Start it again in the terminal: overread vocab edit";
  }
})();
