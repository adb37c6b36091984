document.getElementById('order').addEventListener('click', async () => {
  const id = crypto.randomUUID();
  const answer = await fetch('/orders', {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ id }),
  });
  document.getElementById('answer').textContent = answer.ok ? `Ordered: ${id}` : `Failed: ${answer.status}`;
});
