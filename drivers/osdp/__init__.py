"""OSDP over RS-485: our own control panel (CP). Configuration here, wire in the modules beside it."""
