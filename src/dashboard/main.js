// Signs in with the code of `feral-sync open`, and shows how the node is.
const code = new URLSearchParams(location.hash.slice(1)).get("code")
history.replaceState(null, "", "/")
if (code !== null) {
  await fetch("/session", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ code })
  })
}
const { node_id: node, peers } = await (await fetch("/status")).json()
document.getElementById("state").textContent = `Node ${node}, ${peers.length} peers`
