/*
 * Reloads the page once when a part of it cannot be loaded any more: a module, a chunk, a stylesheet
 * or a script of a release that nobody serves now, or when another service worker takes the page
 * over. The new page names assets of the release of today.
 *
 * Never in a loop: what was reloaded is remembered for as long as the tab lives, by the release that
 * the page names, and a page of that release is not reloaded again. Where nothing can be remembered
 * nothing is reloaded, nor while the page itself cannot be had. Assets of other origins (an
 * advertisement that is blocked) are not ours.
 *
 * A classic script, the first one of the page, so that it is there before anything can fail.
 * reload.min.js is the same by hand.
 */
(function (window, script) {
  // the URL with the page's token in it: of the script, or of its data-release
  var release = new URL(script.dataset.release || script.src || "", document.baseURI);
  var key = "breaker-reload";

  function reload(url) {
    // a URL of another origin is somebody else's
    if (url && url.indexOf(release.origin + "/")) return;
    // the page that is here is better than an error page: is there one to be had?
    fetch(location.href).then(function (response) {
      var reloaded = sessionStorage[key] || "";
      if (response.ok && reloaded.indexOf(release + " ") < 0) {
        sessionStorage[key] = reloaded + release + " ";
        location.reload();
      }
    }).catch(function () {
      // no network; or no storage, without which a reload could not be told from the next one
    });
  }

  // for applications that catch a failed import() themselves
  window.breakerReload = function (error) {
    var message = String((error && error.message) || error);
    if (/dynamically imported|module script|Loading (CSS )?chunk|preload CSS/.test(message))
      reload((message.match(/https?:[^\s)]+/) || [])[0]);
  };

  // <script> and <link> whose file did not come; they tell nobody but those who listen on the way
  window.addEventListener("error", function (event) {
    var at = event.target;
    if (at.tagName == "SCRIPT" || (at.tagName == "LINK" && /style|modulepre/.test(at.rel)))
      reload(at.src || at.href);
  }, true);

  // import() that nobody caught, and Vite's own word for one that somebody will
  window.addEventListener("unhandledrejection", function (event) {
    window.breakerReload(event.reason);
  });
  window.addEventListener("vite:preloadError", function (event) {
    window.breakerReload(event.payload);
  });

  // another service worker, not the first one of a page that had none
  var workers = navigator.serviceWorker;
  if (workers && workers.controller)
    workers.addEventListener("controllerchange", function () { reload(); });
})(window, document.currentScript);
