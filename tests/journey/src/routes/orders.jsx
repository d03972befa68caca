import { useContext, useState } from "react";
import { Shop } from "../shop.js";
import "./orders.css";

export default function Orders() {
  const shop = useContext(Shop);
  const [num] = useState(3);
  return (
    <section id="orders" data-release={__RELEASE__} data-shop={shop.release}>
      orders of release {__RELEASE__}: {num}
    </section>
  );
}
