import { Suspense, lazy, useEffect, useState } from "react";
import { Shop, release } from "./shop.js";

const routes = {
  cart: lazy(() => import("./routes/cart.jsx")),
  orders: lazy(() => import("./routes/orders.jsx")),
  profile: lazy(() => import("./routes/profile.jsx")),
};

const routeOf = () => location.hash.slice(1);

export function App() {
  const [route, setRoute] = useState(routeOf());
  useEffect(() => {
    const follow = () => setRoute(routeOf());
    addEventListener("hashchange", follow);
    return () => removeEventListener("hashchange", follow);
  }, []);
  const Route = routes[route];
  return (
    <Shop.Provider value={{ name: "shop", release }}>
      <h1 data-release={release}>Shop {release}</h1>
      <nav>
        {Object.keys(routes).map((name) => (
          <a key={name} href={`#${name}`}>
            {name}
          </a>
        ))}
      </nav>
      <Suspense fallback={<p>loading</p>}>{Route ? <Route /> : <p>home</p>}</Suspense>
    </Shop.Provider>
  );
}
