// Asks the service, and the person for its key where it wants one; the key is forgotten with the tab.
export async function call(path, options = {}) {
  const send = () => {
    const key = sessionStorage.getItem("key");
    return fetch(path, { ...options, headers: { ...options.headers, ...(key === null ? {} : { "X-API-Key": key }) } });
  };
  const response = await send();
  if (response.status !== 401) return response;
  const key = window.prompt("This service wants a key:");
  if (!key) return response;
  sessionStorage.setItem("key", key);
  return send();
}
