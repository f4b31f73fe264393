"""WHAT is wanted: frozen parameter documents, validated at the door, without behaviour of their own."""
