import { useContext, useState } from "react";
import { Shop } from "../shop.js";
import "./cart.css";

export default function Cart() {
  const shop = useContext(Shop);
  const [num] = useState(3);
  return (
    <section id="cart" data-release={__RELEASE__} data-shop={shop.release}>
      cart of release {__RELEASE__}: {num}
    </section>
  );
}
