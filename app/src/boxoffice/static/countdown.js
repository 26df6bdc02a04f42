// Counts the hold down. Without it the page says the minutes and asks again at their end.
const clock = document.querySelector("[data-seconds]");
const end = Date.now() + Number(clock.dataset.seconds) * 1000;
function tick() {
  const left = Math.max(0, Math.round((end - Date.now()) / 1000));
  const seconds = String(left % 60).padStart(2, "0");
  clock.textContent = `${Math.floor(left / 60)}:${seconds} left`;
  clock.classList.toggle("soon", left < 120);
}
tick();
setInterval(tick, 1000);
